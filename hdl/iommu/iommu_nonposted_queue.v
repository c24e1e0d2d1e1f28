`default_nettype none
// Non-posted TLPs between the link and the router: a pool of slots from which each leaves when its own translation is back,
// so a hit passes a miss (PCIe ordering: non-posted may pass non-posted), but none before a posted TLP that came before it.
//
// A TLP leaves through one of two doors: `tx_` towards the router (translated, or not subject to translation), or `refused_`
// as a header with a completion status: refused (translation failed, malformed, payload beyond any atomic), or answered here (an ATS
// translation request with its entry, an access to a memory-resident interrupt file with zeros).
// Both doors are registered and independent of each other. A nullified TLP of one beat is dropped at the input; a longer one
// leaves with its `err` (or vanishes, when it would have been refused).
//
// Timing: sop at the input in cycle 0, translation request of the adapter in cycle 1; a response in cycle n shows the TLP at
// its door in cycle n + 2; one TLP per cycle when it fits one beat.
module iommu_nonposted_queue #(
    // Bits of a beat: 128, 256 or 512.
    parameter int DATA_W = 256,
    // TLPs held: how many translations of non-posted requests are in flight at most.
    parameter int SLOTS = 16,
    // Bits of a posted TLP's number (iommu_posted_queue, accepted_o).
    parameter int NUMBER_W = 5,
    // Derived.
    parameter int SLOT_W = $clog2(SLOTS),
    parameter int EMPTY_W = $clog2(DATA_W / 32)
) (
    input  wire                clk_i,
    input  wire                rst_i,

    // Stream in.
    input  wire                rx_valid_i,
    output wire                rx_ready_o,
    input  wire                rx_sop_i,
    input  wire                rx_eop_i,
    input  wire [DATA_W-1:0]   rx_data_i,
    input  wire [EMPTY_W-1:0]  rx_empty_i,
    input  wire [127:0]        rx_hdr_i,
    input  wire                rx_err_i,

    // Decoded header at rx sop: memory request, to be refused without translation, writes as well.
    input  wire                memory_i,
    input  wire                malformed_i,
    input  wire                atomic_i,

    // Translation request of the TLP at the input: wanted, granted in the same cycle, and its slot.
    output wire                request_o,
    input  wire                request_grant_i,
    output wire [SLOT_W-1:0]   request_slot_o,

    // Translation response; `response_ca_i` tells completer abort from unsupported request.
    input  wire                response_valid_i,
    input  wire [SLOT_W-1:0]   response_slot_i,
    input  wire                response_success_i,
    input  wire                response_ca_i,
    input  wire [55:0]         response_spa_i,
    input  wire                response_mrif_i,
    input  wire [63:0]         response_entry_i,
    // That response releases the TLP into memory (it is not answered here); it also writes.
    output wire                response_counts_o,
    output wire                response_atomic_o,

    // Posted TLPs: number accepted, one of them still here, one leaves.
    input  wire [NUMBER_W-1:0] posted_accepted_i,
    input  wire                posted_pending_i,
    input  wire                posted_left_i,
    input  wire [NUMBER_W-1:0] posted_left_number_i,

    // Drain generations {write, read} that a response belongs to.
    input  wire [1:0]          generation_i,

    // Stream out; beside it: the TLP was translated, it is an atomic, its generations.
    output wire                tx_valid_o,
    input  wire                tx_ready_i,
    output wire                tx_sop_o,
    output wire                tx_eop_o,
    output wire [DATA_W-1:0]   tx_data_o,
    output wire [EMPTY_W-1:0]  tx_empty_o,
    output wire [127:0]        tx_hdr_o,
    output wire                tx_err_o,
    output wire                tx_translated_o,
    output wire                tx_atomic_o,
    output wire [1:0]          tx_generation_o,

    // Requests to be answered with a completion: header as it arrived, completion status; with status SC, 1 = with this entry of a
    // translation completion, 0 = with zeros.
    output wire                refused_valid_o,
    input  wire                refused_ready_i,
    output wire [127:0]        refused_hdr_o,
    output wire [2:0]          refused_status_o,
    output wire                refused_translation_o,
    output wire [63:0]         refused_entry_o
);

  // The largest legal payload is that of a 128-bit compare-and-swap: 8 DWs.
  localparam int PAYLOAD_W = 256;
  localparam [4:0] TYPE_DEFERRABLE_WRITE = 5'b11011;
  localparam int BEATS = DATA_W < PAYLOAD_W ? PAYLOAD_W / DATA_W : 1;
  localparam int STORED_W = DATA_W < PAYLOAD_W ? DATA_W : PAYLOAD_W;

  // Per slot: occupied; last beat is in; translation finished; may pass; nullified; memory request; atomic; waits for a
  // posted TLP; refused with completer abort; answered with success; translation request; drain generations.
  logic [SLOTS-1:0] busy_d, busy_q;
  logic [SLOTS-1:0] complete_d, complete_q;
  logic [SLOTS-1:0] done_d, done_q;
  logic [SLOTS-1:0] pass_d, pass_q;
  logic [SLOTS-1:0] nullified_d, nullified_q;
  logic [SLOTS-1:0] translated_d, translated_q;
  logic [SLOTS-1:0] atomic_d, atomic_q;
  logic [SLOTS-1:0] waits_d, waits_q;
  logic [SLOTS-1:0] abort_d, abort_q;
  logic [SLOTS-1:0] good_d, good_q;
  logic [SLOTS-1:0] ats_d, ats_q;
  logic [SLOTS-1:0] deferrable_d, deferrable_q;
  logic [SLOTS-1:0] read_generation_d, read_generation_q;
  logic [SLOTS-1:0] write_generation_d, write_generation_q;
  logic [SLOTS*NUMBER_W-1:0] behind_d, behind_q;
  logic [127:0]         hdr_q [0:SLOTS-1];
  // Translated address, or entry of a translation completion.
  logic [63:0]          result_q [0:SLOTS-1];
  logic [EMPTY_W-1:0]   empty_q [0:SLOTS-1];
  logic [PAYLOAD_W-1:0] payload_q [0:SLOTS-1];

  // Input: the lowest free slot takes the sop, the slot of the sop takes the rest.
  logic [SLOT_W-1:0] free_slot;
  logic [SLOT_W-1:0] fill_slot_d, fill_slot_q;
  logic [PAYLOAD_W-1:0] fill_payload;
  wire has_free = busy_q != '1;
  wire nullified = rx_sop_i && rx_eop_i && rx_err_i;
  wire oversized = tlp_pkg::payload_dwords(rx_hdr_i) > 11'd8;
  wire refuse = malformed_i || oversized;
  wire translate = memory_i && !refuse;
  wire accept = rx_valid_i && rx_ready_o && !nullified;
  wire accept_sop = accept && rx_sop_i;
  wire [SLOT_W-1:0] slot = rx_sop_i ? free_slot : fill_slot_q;

  assign request_o = rx_valid_i && rx_sop_i && translate && !nullified && has_free;
  assign request_slot_o = free_slot;
  assign rx_ready_o = nullified || !rx_sop_i || (has_free && (!translate || request_grant_i));

  always_comb begin
    free_slot = '0;
    for (int i = SLOTS - 1; i >= 0; i--) if (!busy_q[i]) free_slot = SLOT_W'(i);
  end

  generate
    if (BEATS == 1) begin : g_one_beat
      assign fill_payload = rx_data_i[STORED_W-1:0];
      if (DATA_W > STORED_W) begin : g_wide
        wire unused_data = &{1'b0, rx_data_i[DATA_W-1:STORED_W]};
      end
    end else begin : g_two_beats
      // The first beat waits for the second. Later ones mean nothing: such a TLP is refused as oversized.
      logic [STORED_W-1:0] first_beat_q;

      assign fill_payload = rx_sop_i ? {{(PAYLOAD_W - STORED_W) {1'b0}}, rx_data_i} : {rx_data_i, first_beat_q};

      always_ff @(posedge clk_i) if (accept_sop) first_beat_q <= rx_data_i;
    end
  endgenerate

  // A deferrable write has no place in an interrupt file, and no data in its completion.
  wire answered_here = ats_q[response_slot_i] || response_mrif_i;
  wire response_good = response_success_i && answered_here && (ats_q[response_slot_i] || !deferrable_q[response_slot_i]);

  // Doors.
  wire [SLOTS-1:0] settled = busy_q & complete_q & done_q & ~waits_q;
  wire [SLOTS-1:0] may_leave = settled & pass_q;
  wire [SLOTS-1:0] to_refuse = settled & ~pass_q & ~nullified_q;
  wire [SLOTS-1:0] to_drop = settled & ~pass_q & nullified_q;
  wire [SLOTS-1:0] leave_grant, refuse_grant;
  wire [SLOT_W-1:0] leave_slot, refuse_slot;

  logic                 tx_valid_d, tx_valid_q;
  logic                 tx_second_d, tx_second_q;
  logic [127:0]         tx_hdr_q;
  logic [PAYLOAD_W-1:0] tx_payload_q;
  logic [EMPTY_W-1:0]   tx_empty_q;
  logic                 tx_translated_q, tx_atomic_q, tx_err_q;
  logic [1:0]           tx_generation_q;
  logic                 refused_valid_d, refused_valid_q;
  logic [127:0]         refused_hdr_q;
  logic                 refused_abort_q, refused_good_q, refused_ats_q;
  logic [63:0]          refused_entry_q;

  wire tx_two_beats = BEATS == 2 && tlp_pkg::payload_dwords(tx_hdr_q) > 11'(DATA_W / 32);
  wire tx_load = !tx_valid_q || (tx_ready_i && tx_eop_o);
  wire refused_load = !refused_valid_q || refused_ready_i;

  round_robin_arbiter #(
      .REQUESTS(SLOTS)
  ) u_leave (
      .clk_i        (clk_i),
      .rst_i        (rst_i),
      .request_i    (may_leave),
      .advance_i    (tx_load),
      .grant_o      (leave_grant),
      .grant_index_o(leave_slot)
  );

  round_robin_arbiter #(
      .REQUESTS(SLOTS)
  ) u_refuse (
      .clk_i        (clk_i),
      .rst_i        (rst_i),
      .request_i    (to_refuse),
      .advance_i    (refused_load),
      .grant_o      (refuse_grant),
      .grant_index_o(refuse_slot)
  );

  wire [127:0] rewritten;
  wire [63:0]  leave_result = result_q[leave_slot];
  wire         unused_leave_result = &{1'b0, leave_result[63:56]};

  iommu_header_rewrite u_rewrite (
      .hdr_i(hdr_q[leave_slot]),
      .spa_i(leave_result[55:0]),
      .hdr_o(rewritten)
  );

  assign tx_valid_o = tx_valid_q;
  assign tx_sop_o = !tx_second_q;
  assign tx_eop_o = !tx_two_beats || tx_second_q;
  assign tx_hdr_o = tx_hdr_q;
  assign tx_empty_o = tx_eop_o ? tx_empty_q : '0;
  assign tx_err_o = tx_err_q && tx_eop_o;
  assign tx_translated_o = tx_translated_q;
  assign tx_atomic_o = tx_atomic_q;
  assign tx_generation_o = tx_generation_q;
  assign refused_valid_o = refused_valid_q;
  assign refused_hdr_o = refused_hdr_q;
  assign refused_status_o = refused_good_q ? tlp_pkg::STATUS_SC : refused_abort_q ? tlp_pkg::STATUS_CA : tlp_pkg::STATUS_UR;
  assign refused_translation_o = refused_ats_q;
  assign refused_entry_o = refused_entry_q;
  assign response_counts_o = response_valid_i && response_success_i && !answered_here;
  assign response_atomic_o = atomic_q[response_slot_i];

  generate
    if (BEATS == 1) begin : g_tx_one_beat
      assign tx_data_o = DATA_W'(tx_payload_q);
    end else begin : g_tx_two_beats
      assign tx_data_o = tx_second_q ? tx_payload_q[PAYLOAD_W-1:STORED_W] : tx_payload_q[STORED_W-1:0];
    end
  endgenerate

  always_comb begin
    busy_d = busy_q;
    complete_d = complete_q;
    done_d = done_q;
    pass_d = pass_q;
    nullified_d = nullified_q;
    translated_d = translated_q;
    atomic_d = atomic_q;
    waits_d = waits_q;
    abort_d = abort_q;
    good_d = good_q;
    ats_d = ats_q;
    deferrable_d = deferrable_q;
    read_generation_d = read_generation_q;
    write_generation_d = write_generation_q;
    behind_d = behind_q;
    fill_slot_d = fill_slot_q;
    tx_valid_d = tx_valid_q;
    tx_second_d = tx_second_q;
    refused_valid_d = refused_valid_q;

    if (posted_left_i)
      for (int i = 0; i < SLOTS; i++)
        if (behind_q[i*NUMBER_W+:NUMBER_W] == posted_left_number_i) waits_d[i] = 1'b0;

    if (response_valid_i) begin
      done_d[response_slot_i] = 1'b1;
      pass_d[response_slot_i] = response_success_i && !answered_here;
      good_d[response_slot_i] = response_good;
      abort_d[response_slot_i] = response_ca_i;
      read_generation_d[response_slot_i] = generation_i[0];
      write_generation_d[response_slot_i] = generation_i[1];
    end

    if (accept_sop) begin
      busy_d[free_slot] = 1'b1;
      done_d[free_slot] = !translate;
      pass_d[free_slot] = !memory_i && !refuse;
      nullified_d[free_slot] = 1'b0;
      translated_d[free_slot] = memory_i;
      atomic_d[free_slot] = atomic_i;
      waits_d[free_slot] = posted_pending_i;
      behind_d[free_slot*NUMBER_W+:NUMBER_W] = posted_accepted_i - 1'b1;
      abort_d[free_slot] = 1'b0;
      good_d[free_slot] = 1'b0;
      deferrable_d[free_slot] = rx_hdr_i[124:120] == TYPE_DEFERRABLE_WRITE;
      ats_d[free_slot] = rx_hdr_i[107:106] == tlp_pkg::AT_TRANSLATION_REQUEST;
      fill_slot_d = free_slot;
    end
    if (accept) begin
      complete_d[slot] = rx_eop_i;
      if (rx_eop_i) nullified_d[slot] = rx_err_i;
    end

    if (tx_valid_q && tx_ready_i) tx_second_d = !tx_eop_o;
    if (tx_load) begin
      tx_valid_d = may_leave != '0;
      busy_d = busy_d & ~leave_grant;
    end
    if (refused_load) begin
      refused_valid_d = to_refuse != '0;
      busy_d = busy_d & ~refuse_grant;
    end
    busy_d = busy_d & ~to_drop;
  end

  always_ff @(posedge clk_i) begin
    if (accept_sop) hdr_q[free_slot] <= rx_hdr_i;
    if (accept) begin
      payload_q[slot] <= fill_payload;
      empty_q[slot] <= rx_empty_i;
    end
    if (response_valid_i) result_q[response_slot_i] <= ats_q[response_slot_i] ? response_entry_i : {8'd0, response_spa_i};
    if (tx_load) begin
      tx_hdr_q <= translated_q[leave_slot] ? rewritten : hdr_q[leave_slot];
      tx_payload_q <= payload_q[leave_slot];
      tx_empty_q <= empty_q[leave_slot];
      tx_translated_q <= translated_q[leave_slot];
      tx_err_q <= nullified_q[leave_slot];
      tx_atomic_q <= atomic_q[leave_slot];
      tx_generation_q <= {write_generation_q[leave_slot], read_generation_q[leave_slot]};
    end
    if (refused_load) begin
      refused_hdr_q <= hdr_q[refuse_slot];
      refused_abort_q <= abort_q[refuse_slot];
      refused_good_q <= good_q[refuse_slot];
      refused_ats_q <= ats_q[refuse_slot];
      refused_entry_q <= result_q[refuse_slot];
    end
    fill_slot_q <= fill_slot_d;
    complete_q <= complete_d;
    done_q <= done_d;
    pass_q <= pass_d;
    nullified_q <= nullified_d;
    translated_q <= translated_d;
    atomic_q <= atomic_d;
    waits_q <= waits_d;
    abort_q <= abort_d;
    good_q <= good_d;
    ats_q <= ats_d;
    deferrable_q <= deferrable_d;
    read_generation_q <= read_generation_d;
    write_generation_q <= write_generation_d;
    behind_q <= behind_d;
    busy_q <= busy_d;
    tx_valid_q <= tx_valid_d;
    tx_second_q <= tx_second_d;
    refused_valid_q <= refused_valid_d;
    if (rst_i) begin
      busy_q <= '0;
      tx_valid_q <= 1'b0;
      tx_second_q <= 1'b0;
      refused_valid_q <= 1'b0;
    end
  end

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i && response_valid_i) begin
      assert (busy_q[response_slot_i]) else $error("iommu_nonposted_queue: response for an empty slot");
      assert (!done_q[response_slot_i]) else $error("iommu_nonposted_queue: second response for a slot");
    end
    if (!rst_i && rx_valid_i && rx_sop_i)
      assert (tlp_pkg::tlp_class(rx_hdr_i[127:120]) == tlp_pkg::CLASS_NONPOSTED)
        else $error("iommu_nonposted_queue: TLP of another class");
  end
`endif

endmodule
`default_nettype wire
