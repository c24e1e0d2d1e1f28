`default_nettype none
// Posted TLPs between the link and the router, in order, each memory write with its translation in flight or done.
//
// A TLP takes a slot of a ring at its sop, when its translation request is accepted too; its beats go to a payload FIFO. The
// oldest TLP leaves as soon as its translation is back (cut-through: before its last beat has arrived if need be), back to
// back with the next. A write whose translation failed is swallowed. TLPs that need no translation (messages) keep header and
// prefix and only take their turn. A write to a memory-resident interrupt file does not leave: one word of it is handed to `mrif_` when
// every earlier write has been taken by memory, and the TLPs behind it wait until it is carried out. A nullified TLP of one beat is
// dropped at the input; a longer one passes with its `err`.
//
// Timing: sop at the input in cycle 0, translation request of the adapter in cycle 1; a response in cycle n shows the sop at
// the output in cycle n + 1; one beat per cycle.
module iommu_posted_queue #(
    // Bits of a beat: 128, 256 or 512.
    parameter int DATA_W = 256,
    // TLPs held, a power of two: how many translations of posted requests are in flight at most.
    parameter int SLOTS = 16,
    // Beats of payload held; the default is 4 KiB, the largest TLP.
    parameter int BEATS = 4096 * 8 / DATA_W,
    // Derived.
    parameter int SLOT_W = $clog2(SLOTS),
    parameter int EMPTY_W = $clog2(DATA_W / 32)
) (
    input  wire               clk_i,
    input  wire               rst_i,

    // Stream in.
    input  wire               rx_valid_i,
    output wire               rx_ready_o,
    input  wire               rx_sop_i,
    input  wire               rx_eop_i,
    input  wire [DATA_W-1:0]  rx_data_i,
    input  wire [EMPTY_W-1:0] rx_empty_i,
    input  wire [127:0]       rx_hdr_i,
    input  wire [31:0]        rx_prefix_i,
    input  wire               rx_prefix_valid_i,
    input  wire               rx_err_i,

    // Decoded header at rx sop: memory request; to be refused without translation.
    input  wire               memory_i,
    input  wire               malformed_i,

    // Translation request of the TLP at the input: wanted, granted in the same cycle, and its slot.
    output wire               request_o,
    input  wire               request_grant_i,
    output wire [SLOT_W-1:0]  request_slot_o,

    // Translation response.
    input  wire               response_valid_i,
    input  wire [SLOT_W-1:0]  response_slot_i,
    input  wire               response_success_i,
    input  wire [55:0]        response_spa_i,
    // The address is that of a memory-resident interrupt file: {quiet, qos, notice identity, notice page} of its store.
    input  wire               response_mrif_i,
    input  wire [79:0]        response_target_i,

    // 32-bit write to such a file, held until carried out; as it arrived. All posted TLPs that left have been taken by memory.
    output wire               mrif_valid_o,
    input  wire               mrif_ready_i,
    output wire [55:0]        mrif_spa_o,
    output wire [79:0]        mrif_target_o,
    output wire [127:0]       mrif_hdr_o,
    output wire [31:0]        mrif_prefix_o,
    output wire               mrif_prefix_valid_o,
    output wire [31:0]        mrif_data_o,
    input  wire               posted_settled_i,

    // Drain generation that a successful response belongs to; and the release of one such write (its eop was taken).
    input  wire               generation_i,
    output wire               released_o,
    output wire               released_generation_o,

    // Stream out.
    output wire               tx_valid_o,
    input  wire               tx_ready_i,
    output wire               tx_sop_o,
    output wire               tx_eop_o,
    output wire [DATA_W-1:0]  tx_data_o,
    output wire [EMPTY_W-1:0] tx_empty_o,
    output wire [127:0]       tx_hdr_o,
    output wire [31:0]        tx_prefix_o,
    output wire               tx_prefix_valid_o,
    output wire               tx_err_o,

    // Order for the other classes: TLPs accepted since reset (modulo 2 x SLOTS), one of them is held (registered), one of
    // them has not left at the end of this cycle, one leaves, and its number.
    output wire [SLOT_W:0]    accepted_o,
    output wire               held_o,
    output wire               pending_o,
    output wire               left_o,
    output wire [SLOT_W:0]    left_number_o,

    // Statistics: a write was dropped because its translation failed or it was malformed.
    output wire               stat_dropped_o
);

  localparam int BEAT_W = DATA_W + EMPTY_W + 3;

  // Ring of headers: [head, tail) modulo 2 x SLOTS.
  logic [SLOT_W:0] head_d, head_q;
  logic [SLOT_W:0] tail_d, tail_q;
  // Per slot: translation finished, TLP may pass, header is rewritten, drain generation, goes to an interrupt file.
  logic [SLOTS-1:0] done_d, done_q;
  logic [SLOTS-1:0] pass_d, pass_q;
  logic [SLOTS-1:0] rewrite_d, rewrite_q;
  logic [SLOTS-1:0] generation_d, generation_q;
  logic [SLOTS-1:0] mrif_d, mrif_q;
  logic [127:0] hdr_q [0:SLOTS-1];
  logic [32:0]  prefix_q [0:SLOTS-1];
  logic [55:0]  spa_q [0:SLOTS-1];
  logic [79:0]  target_q [0:SLOTS-1];

  wire [SLOT_W-1:0] head = head_q[SLOT_W-1:0];
  wire [SLOT_W-1:0] tail = tail_q[SLOT_W-1:0];
  wire ring_empty = head_q == tail_q;
  wire ring_full = head == tail && !ring_empty;

  // Input.
  wire fifo_ready;
  wire nullified = rx_sop_i && rx_eop_i && rx_err_i;
  wire translate = memory_i && !malformed_i;
  wire slot_ready = !rx_sop_i || (!ring_full && (!translate || request_grant_i));
  wire accept = rx_valid_i && rx_ready_o && !nullified;
  wire accept_sop = accept && rx_sop_i;

  assign request_o = rx_valid_i && rx_sop_i && translate && !nullified && !ring_full && fifo_ready;
  assign request_slot_o = tail;
  assign rx_ready_o = nullified || (fifo_ready && slot_ready);

  // Payload.
  wire beat_valid, beat_taken;
  wire beat_sop, beat_eop, beat_err;
  wire [EMPTY_W-1:0] beat_empty;
  wire [DATA_W-1:0] beat_data;
  wire [$clog2(BEATS+1)-1:0] unused_count;

  fifo #(
      .WIDTH(BEAT_W),
      .DEPTH(BEATS)
  ) u_payload (
      .clk_i      (clk_i),
      .rst_i      (rst_i),
      .in_valid_i (accept),
      .in_ready_o (fifo_ready),
      .in_data_i  ({rx_sop_i, rx_eop_i, rx_err_i, rx_empty_i, rx_data_i}),
      .out_valid_o(beat_valid),
      .out_ready_i(beat_taken),
      .out_data_o ({beat_sop, beat_eop, beat_err, beat_empty, beat_data}),
      .count_o    (unused_count)
  );

  // Output: the oldest TLP, once its fate is known.
  wire head_known = !ring_empty && done_q[head];
  wire head_pass = pass_q[head];
  wire leave = beat_taken && beat_eop;
  wire [127:0] rewritten;

  iommu_header_rewrite u_rewrite (
      .hdr_i(hdr_q[head]),
      .spa_i(spa_q[head]),
      .hdr_o(rewritten)
  );

  // Only one word, whole and sound, is an interrupt; everything else written to a file is swallowed.
  wire [127:0] head_hdr = hdr_q[head];
  wire head_file = mrif_q[head];
  wire is_word = beat_sop && beat_eop && !beat_err && head_hdr[105:96] == 10'd1 && head_hdr[67:64] == 4'hF && !head_hdr[110];

  assign beat_taken = beat_valid && head_known &&
      (!head_pass || (head_file ? !is_word || (mrif_valid_o && mrif_ready_i) : tx_ready_i));
  assign tx_valid_o = beat_valid && head_known && head_pass && !head_file;
  assign mrif_valid_o = beat_valid && head_known && head_pass && head_file && is_word && posted_settled_i;
  assign mrif_spa_o = spa_q[head];
  assign mrif_target_o = target_q[head];
  assign mrif_hdr_o = head_hdr;
  assign mrif_prefix_o = prefix_q[head][31:0];
  assign mrif_prefix_valid_o = prefix_q[head][32];
  assign mrif_data_o = beat_data[31:0];
  assign tx_sop_o = beat_sop;
  assign tx_eop_o = beat_eop;
  assign tx_data_o = beat_data;
  assign tx_empty_o = beat_empty;
  assign tx_err_o = beat_err;
  assign tx_hdr_o = rewrite_q[head] ? rewritten : hdr_q[head];
  assign tx_prefix_o = prefix_q[head][31:0];
  assign tx_prefix_valid_o = prefix_q[head][32] && !rewrite_q[head];

  assign released_o = leave && head_pass && rewrite_q[head];
  assign released_generation_o = generation_q[head];
  assign stat_dropped_o = leave && !head_pass;

  assign accepted_o = tail_q;
  assign held_o = !ring_empty;
  assign pending_o = head_d != tail_q;
  assign left_o = leave;
  assign left_number_o = head_q;

  always_comb begin
    head_d = head_q;
    tail_d = tail_q;
    done_d = done_q;
    pass_d = pass_q;
    rewrite_d = rewrite_q;
    generation_d = generation_q;
    mrif_d = mrif_q;
    if (leave) head_d = head_q + 1'b1;
    if (accept_sop) begin
      tail_d = tail_q + 1'b1;
      done_d[tail] = !translate;
      pass_d[tail] = !memory_i;
      rewrite_d[tail] = memory_i;
      mrif_d[tail] = 1'b0;
    end
    if (response_valid_i) begin
      done_d[response_slot_i] = 1'b1;
      pass_d[response_slot_i] = response_success_i;
      generation_d[response_slot_i] = generation_i;
      mrif_d[response_slot_i] = response_mrif_i;
    end
  end

  always_ff @(posedge clk_i) begin
    if (accept_sop) begin
      hdr_q[tail] <= rx_hdr_i;
      prefix_q[tail] <= {rx_prefix_valid_i, rx_prefix_i};
    end
    if (response_valid_i) begin
      spa_q[response_slot_i] <= response_spa_i;
      target_q[response_slot_i] <= response_target_i;
    end
    done_q <= done_d;
    pass_q <= pass_d;
    rewrite_q <= rewrite_d;
    generation_q <= generation_d;
    mrif_q <= mrif_d;
    head_q <= head_d;
    tail_q <= tail_d;
    if (rst_i) begin
      head_q <= '0;
      tail_q <= '0;
    end
  end

  generate
    if (SLOTS < 2 || (SLOTS & (SLOTS - 1)) != 0) begin : g_check_slots
      initial $fatal(1, "iommu_posted_queue: SLOTS must be a power of two, 2 or more");
    end
  endgenerate

`ifndef SYNTHESIS
  wire [SLOT_W-1:0] response_age = response_slot_i - head;
  wire [SLOT_W:0]   occupied = tail_q - head_q;
  wire [63:0]       response_address = tlp_pkg::request_address(hdr_q[response_slot_i]);
  wire              unused_response_address = &{1'b0, response_address[63:12]};

  always_ff @(posedge clk_i) begin
    if (!rst_i && response_valid_i) begin
      assert ({1'b0, response_age} < occupied) else $error("iommu_posted_queue: response for an empty slot");
      assert (!done_q[response_slot_i]) else $error("iommu_posted_queue: second response for a slot");
      assert (!response_success_i || response_mrif_i || response_address[11:0] == response_spa_i[11:0])
        else $error("iommu_posted_queue: translation changed the offset in the page");
    end
    if (!rst_i && rx_valid_i && rx_sop_i)
      assert (tlp_pkg::tlp_class(rx_hdr_i[127:120]) == tlp_pkg::CLASS_POSTED)
        else $error("iommu_posted_queue: TLP of another class");
  end
`endif

endmodule
`default_nettype wire
