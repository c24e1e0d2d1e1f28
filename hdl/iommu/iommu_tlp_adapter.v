`default_nettype none
// TLPs on one side, the IOMMU's translation port on the other: sits between the receive buffer of the root port's ingress and
// the router of the root complex.
//
// Every memory request asks for its translation as soon as its header is accepted, one per cycle, posted and non-posted
// taking turns; up to TRANSLATIONS are in flight, half of them posted, and responses come in any order. Translated requests go
// on with the new address (3 DW below 4 GiB, 4 DW above), without PASID prefix, AT = 00; requester ID, tag, attributes, byte
// enables and payload unchanged. Refused non-posted requests are answered on `answer_` with a UR or CA completion (malformed ones UR);
// refused posted ones are dropped. ATS translation requests are answered there too, with a translation completion of one entry.
// Accesses to a memory-resident interrupt file end here: reads give zeros, a 32-bit write goes to `mrif_`, other writes vanish.
// TLPs without an address to translate pass: messages, completions, and what the router refuses. A TLP of several beats asks
// before its end is seen: one that turns out nullified is discarded, but can have left a fault record.
//
// Order (PCIe Base, transaction ordering): posted TLPs stay in order; a non-posted TLP passes non-posted ones whose
// translation is outstanding but never a posted one that came before it; posted TLPs pass non-posted ones; completions pass
// behind earlier posted TLPs only (unless RO).
//
// Timing: header accepted in cycle 0, `xlate_req_valid_o` in cycle 1; response in cycle n, TLP at the output in cycle n + 1
// (posted) or n + 2 (non-posted). Full rate on both classes while translations answer within SLOTS TLPs.
module iommu_tlp_adapter #(
    // Bits of a beat: 128, 256 or 512.
    parameter int DATA_W = 256,
    // Translations in flight, a power of two, 4 or more.
    parameter int TRANSLATIONS = 32,
    // Beats of posted payload held; the default is 4 KiB, the largest TLP.
    parameter int POSTED_BEATS = 4096 * 8 / DATA_W,
    // Cycles without a completion after which a read that a drain waits for counts as lost.
    parameter int DRAIN_TIMEOUT = 16384,
    // Derived: bits of a translation id, of `empty`.
    parameter int ID_W = $clog2(TRANSLATIONS),
    parameter int EMPTY_W = $clog2(DATA_W / 32)
) (
    input  wire               clk_i,
    input  wire               rst_i,

    // Posted stream in.
    input  wire               rx_posted_valid_i,
    output wire               rx_posted_ready_o,
    input  wire               rx_posted_sop_i,
    input  wire               rx_posted_eop_i,
    input  wire [DATA_W-1:0]  rx_posted_data_i,
    input  wire [EMPTY_W-1:0] rx_posted_empty_i,
    input  wire [127:0]       rx_posted_hdr_i,
    input  wire [31:0]        rx_posted_prefix_i,
    input  wire               rx_posted_prefix_valid_i,
    input  wire               rx_posted_err_i,

    // Non-posted stream in.
    input  wire               rx_nonposted_valid_i,
    output wire               rx_nonposted_ready_o,
    input  wire               rx_nonposted_sop_i,
    input  wire               rx_nonposted_eop_i,
    input  wire [DATA_W-1:0]  rx_nonposted_data_i,
    input  wire [EMPTY_W-1:0] rx_nonposted_empty_i,
    input  wire [127:0]       rx_nonposted_hdr_i,
    input  wire [31:0]        rx_nonposted_prefix_i,
    input  wire               rx_nonposted_prefix_valid_i,
    input  wire               rx_nonposted_err_i,

    // Completion stream: only its handshake passes through here, the rest goes around.
    input  wire               rx_completion_valid_i,
    output wire               rx_completion_ready_o,
    input  wire               rx_completion_sop_i,
    input  wire               rx_completion_eop_i,
    input  wire               rx_completion_relaxed_i,
    output wire               tx_completion_valid_o,
    input  wire               tx_completion_ready_i,

    // Posted stream out, to the router.
    output wire               tx_posted_valid_o,
    input  wire               tx_posted_ready_i,
    output wire               tx_posted_sop_o,
    output wire               tx_posted_eop_o,
    output wire [DATA_W-1:0]  tx_posted_data_o,
    output wire [EMPTY_W-1:0] tx_posted_empty_o,
    output wire [127:0]       tx_posted_hdr_o,
    output wire [31:0]        tx_posted_prefix_o,
    output wire               tx_posted_prefix_valid_o,
    output wire               tx_posted_err_o,

    // Non-posted stream out, to the router (never with a prefix). `tx_nonposted_returns_i` says of the TLP shown, in the same
    // cycle: it goes to memory and its completions come back to the link below through the root complex.
    output wire               tx_nonposted_valid_o,
    input  wire               tx_nonposted_ready_i,
    output wire               tx_nonposted_sop_o,
    output wire               tx_nonposted_eop_o,
    output wire [DATA_W-1:0]  tx_nonposted_data_o,
    output wire [EMPTY_W-1:0] tx_nonposted_empty_o,
    output wire [127:0]       tx_nonposted_hdr_o,
    output wire               tx_nonposted_err_o,
    input  wire               tx_nonposted_returns_i,

    // Answers to refused non-posted requests: completion stream towards the link below, and the completer ID in them.
    input  wire [15:0]        completer_id_i,
    output wire               answer_valid_o,
    input  wire               answer_ready_i,
    output wire               answer_sop_o,
    output wire               answer_eop_o,
    output wire [DATA_W-1:0]  answer_data_o,
    output wire [EMPTY_W-1:0] answer_empty_o,
    output wire [127:0]       answer_hdr_o,

    // Translation port (docs/interfaces.md section 3).
    output wire               xlate_req_valid_o,
    input  wire               xlate_req_ready_i,
    output wire [ID_W-1:0]    xlate_req_id_o,
    output wire [23:0]        xlate_req_did_o,
    output wire               xlate_req_pv_o,
    output wire [19:0]        xlate_req_pid_o,
    output wire               xlate_req_priv_o,
    output wire               xlate_req_exec_o,
    output wire [1:0]         xlate_req_at_o,
    output wire               xlate_req_wr_o,
    output wire               xlate_req_nw_o,
    output wire [63:0]        xlate_req_iova_o,
    input  wire               xlate_rsp_valid_i,
    output wire               xlate_rsp_ready_o,
    input  wire [ID_W-1:0]    xlate_rsp_id_i,
    input  wire [1:0]         xlate_rsp_status_i,
    input  wire [58:0]        xlate_rsp_spa_i,
    input  wire [7:0]         xlate_rsp_permissions_i,
    input  wire [5:0]         xlate_rsp_size_i,
    input  wire               xlate_rsp_mrif_i,
    input  wire [10:0]        xlate_rsp_mrif_nid_i,
    input  wire [43:0]        xlate_rsp_mrif_nppn_i,
    input  wire               xlate_rsp_mrif_quiet_i,
    input  wire [23:0]        xlate_rsp_mrif_qos_i,

    // Write to a memory-resident interrupt file (riscv_iommu.v).
    output wire               mrif_valid_o,
    input  wire               mrif_ready_i,
    output wire [55:0]        mrif_address_o,
    output wire [10:0]        mrif_nid_o,
    output wire [43:0]        mrif_nppn_o,
    output wire               mrif_quiet_o,
    output wire [23:0]        mrif_qos_o,
    output wire               mrif_translated_o,
    output wire [23:0]        mrif_did_o,
    output wire               mrif_pv_o,
    output wire [19:0]        mrif_pid_o,
    output wire               mrif_priv_o,
    output wire [63:0]        mrif_iova_o,
    output wire [31:0]        mrif_data_o,

    // Fence (section 6); posted TLPs handed to the router before this cycle were all taken by the receiver behind it; a
    // completion was delivered to the link below, with its header.
    input  wire               drain_req_i,
    input  wire               drain_reads_i,
    input  wire               drain_writes_i,
    output wire               drain_ack_o,
    input  wire               posted_settled_i,
    input  wire               delivered_i,
    input  wire [127:0]       delivered_hdr_i,

    // Statistics: a posted write was dropped, a non-posted request was answered with an error, reads were given up as lost, the
    // translation port made a request wait.
    output wire               stat_posted_dropped_o,
    output wire               stat_nonposted_refused_o,
    output wire               stat_read_lost_o,
    output wire               stat_xlate_stall_o
);

  localparam int SLOTS = TRANSLATIONS / 2;
  localparam int SLOT_W = ID_W - 1;
  localparam int NUMBER_W = SLOT_W + 1;

  // Decoded headers.
  wire        posted_memory, posted_malformed;
  wire        nonposted_memory, nonposted_malformed, nonposted_atomic;
  wire        unused_posted_atomic;
  wire [23:0] posted_did, nonposted_did;
  wire        posted_pv, nonposted_pv;
  wire [19:0] posted_pid, nonposted_pid;
  wire        posted_priv, nonposted_priv;
  wire        posted_exec, nonposted_exec;
  wire [1:0]  posted_at, nonposted_at;
  wire        posted_wr, nonposted_wr;
  wire        posted_nw, nonposted_nw;
  wire [63:0] posted_iova, nonposted_iova;

  // Translation request register and whose turn it is when both classes ask.
  localparam int FIELDS_W = 24 + 1 + 20 + 1 + 1 + 2 + 1 + 1 + 64;
  logic                request_valid_d, request_valid_q;
  logic                nonposted_turn_d, nonposted_turn_q;
  logic [ID_W-1:0]     request_id_q;
  logic [FIELDS_W-1:0] request_fields_q;
  wire                 posted_request, nonposted_request;
  wire [SLOT_W-1:0]    posted_request_slot, nonposted_request_slot;
  wire                 request_load = !request_valid_q || xlate_req_ready_i;
  wire                 nonposted_grant = request_load && nonposted_request && (nonposted_turn_q || !posted_request);
  wire                 posted_grant = request_load && posted_request && !(nonposted_turn_q && nonposted_request);

  // Responses by class.
  wire              response_nonposted = xlate_rsp_id_i[ID_W-1];
  wire [SLOT_W-1:0] response_slot = xlate_rsp_id_i[SLOT_W-1:0];
  wire              response_success = xlate_rsp_status_i == iommu_pkg::RESPONSE_SUCCESS;
  wire              response_ca = xlate_rsp_status_i == iommu_pkg::RESPONSE_CA;
  wire              posted_response = xlate_rsp_valid_i && !response_nonposted;
  wire              nonposted_response = xlate_rsp_valid_i && response_nonposted;

  // Order and drain.
  wire [NUMBER_W-1:0] posted_accepted, posted_left_number;
  wire                posted_held, posted_pending, posted_left;
  wire [1:0]          generation;
  wire                posted_released, posted_released_generation;
  wire                nonposted_counts, nonposted_counts_atomic;
  wire                nonposted_valid, nonposted_hold, nonposted_translated, nonposted_is_atomic;
  wire [1:0]          nonposted_generation;

  wire                refused_valid, refused_ready;
  wire [127:0]        refused_hdr;
  wire [2:0]          refused_status;
  wire                refused_translation;
  wire [63:0]         refused_entry, response_entry;
  wire [127:0]        mrif_hdr;
  wire [31:0]         mrif_prefix;
  wire                mrif_prefix_valid;
  wire [1:0]          mrif_at;
  wire [4:0]          unused_mrif;
  wire                unused_mrif_nw;

  iommu_request_decoder u_posted_decoder (
      .hdr_i         (rx_posted_hdr_i),
      .prefix_i      (rx_posted_prefix_i),
      .prefix_valid_i(rx_posted_prefix_valid_i),
      .memory_o      (posted_memory),
      .malformed_o   (posted_malformed),
      .atomic_o      (unused_posted_atomic),
      .did_o         (posted_did),
      .pv_o          (posted_pv),
      .pid_o         (posted_pid),
      .priv_o        (posted_priv),
      .exec_o        (posted_exec),
      .at_o          (posted_at),
      .wr_o          (posted_wr),
      .nw_o          (posted_nw),
      .iova_o        (posted_iova)
  );

  iommu_request_decoder u_nonposted_decoder (
      .hdr_i         (rx_nonposted_hdr_i),
      .prefix_i      (rx_nonposted_prefix_i),
      .prefix_valid_i(rx_nonposted_prefix_valid_i),
      .memory_o      (nonposted_memory),
      .malformed_o   (nonposted_malformed),
      .atomic_o      (nonposted_atomic),
      .did_o         (nonposted_did),
      .pv_o          (nonposted_pv),
      .pid_o         (nonposted_pid),
      .priv_o        (nonposted_priv),
      .exec_o        (nonposted_exec),
      .at_o          (nonposted_at),
      .wr_o          (nonposted_wr),
      .nw_o          (nonposted_nw),
      .iova_o        (nonposted_iova)
  );

  iommu_request_decoder u_mrif_decoder (
      .hdr_i         (mrif_hdr),
      .prefix_i      (mrif_prefix),
      .prefix_valid_i(mrif_prefix_valid),
      .memory_o      (unused_mrif[0]),
      .malformed_o   (unused_mrif[1]),
      .atomic_o      (unused_mrif[2]),
      .did_o         (mrif_did_o),
      .pv_o          (mrif_pv_o),
      .pid_o         (mrif_pid_o),
      .priv_o        (mrif_priv_o),
      .exec_o        (unused_mrif[3]),
      .at_o          (mrif_at),
      .wr_o          (unused_mrif[4]),
      .nw_o          (unused_mrif_nw),
      .iova_o        (mrif_iova_o)
  );

  assign mrif_translated_o = mrif_at == tlp_pkg::AT_TRANSLATED;

  iommu_ats_entry u_entry (
      .spa_i        (xlate_rsp_spa_i),
      .permissions_i(xlate_rsp_permissions_i),
      .size_i       (xlate_rsp_size_i),
      .mrif_i       (xlate_rsp_mrif_i),
      .mrif_nppn_i  (xlate_rsp_mrif_nppn_i),
      .entry_o      (response_entry)
  );

  assign xlate_req_valid_o = request_valid_q;
  assign xlate_req_id_o = request_id_q;
  assign {xlate_req_did_o, xlate_req_pv_o, xlate_req_pid_o, xlate_req_priv_o, xlate_req_exec_o, xlate_req_at_o,
          xlate_req_wr_o, xlate_req_nw_o, xlate_req_iova_o} = request_fields_q;
  // Every outstanding id has its slot waiting.
  assign xlate_rsp_ready_o = 1'b1;

  always_comb begin
    request_valid_d = request_valid_q;
    nonposted_turn_d = nonposted_turn_q;
    if (request_load) request_valid_d = posted_grant || nonposted_grant;
    if (posted_grant) nonposted_turn_d = 1'b1;
    if (nonposted_grant) nonposted_turn_d = 1'b0;
  end

  always_ff @(posedge clk_i) begin
    if (request_load) begin
      request_id_q <= nonposted_grant ? {1'b1, nonposted_request_slot} : {1'b0, posted_request_slot};
      request_fields_q <= nonposted_grant ?
          {nonposted_did, nonposted_pv, nonposted_pid, nonposted_priv, nonposted_exec, nonposted_at, nonposted_wr,
           nonposted_nw, nonposted_iova} :
          {posted_did, posted_pv, posted_pid, posted_priv, posted_exec, posted_at, posted_wr, posted_nw, posted_iova};
    end
    request_valid_q <= request_valid_d;
    nonposted_turn_q <= nonposted_turn_d;
    if (rst_i) begin
      request_valid_q <= 1'b0;
      nonposted_turn_q <= 1'b0;
    end
  end

  iommu_posted_queue #(
      .DATA_W(DATA_W),
      .SLOTS (SLOTS),
      .BEATS (POSTED_BEATS)
  ) u_posted (
      .clk_i                (clk_i),
      .rst_i                (rst_i),
      .rx_valid_i           (rx_posted_valid_i),
      .rx_ready_o           (rx_posted_ready_o),
      .rx_sop_i             (rx_posted_sop_i),
      .rx_eop_i             (rx_posted_eop_i),
      .rx_data_i            (rx_posted_data_i),
      .rx_empty_i           (rx_posted_empty_i),
      .rx_hdr_i             (rx_posted_hdr_i),
      .rx_prefix_i          (rx_posted_prefix_i),
      .rx_prefix_valid_i    (rx_posted_prefix_valid_i),
      .rx_err_i             (rx_posted_err_i),
      .memory_i             (posted_memory),
      .malformed_i          (posted_malformed),
      .request_o            (posted_request),
      .request_grant_i      (posted_grant),
      .request_slot_o       (posted_request_slot),
      .response_valid_i     (posted_response),
      .response_slot_i      (response_slot),
      .response_success_i   (response_success),
      .response_spa_i       (xlate_rsp_spa_i[55:0]),
      .response_mrif_i      (xlate_rsp_mrif_i),
      .response_target_i    ({xlate_rsp_mrif_quiet_i, xlate_rsp_mrif_qos_i, xlate_rsp_mrif_nid_i, xlate_rsp_mrif_nppn_i}),
      .mrif_valid_o         (mrif_valid_o),
      .mrif_ready_i         (mrif_ready_i),
      .mrif_spa_o           (mrif_address_o),
      .mrif_target_o        ({mrif_quiet_o, mrif_qos_o, mrif_nid_o, mrif_nppn_o}),
      .mrif_hdr_o           (mrif_hdr),
      .mrif_prefix_o        (mrif_prefix),
      .mrif_prefix_valid_o  (mrif_prefix_valid),
      .mrif_data_o          (mrif_data_o),
      .posted_settled_i     (posted_settled_i),
      .generation_i         (generation[1]),
      .released_o           (posted_released),
      .released_generation_o(posted_released_generation),
      .tx_valid_o           (tx_posted_valid_o),
      .tx_ready_i           (tx_posted_ready_i),
      .tx_sop_o             (tx_posted_sop_o),
      .tx_eop_o             (tx_posted_eop_o),
      .tx_data_o            (tx_posted_data_o),
      .tx_empty_o           (tx_posted_empty_o),
      .tx_hdr_o             (tx_posted_hdr_o),
      .tx_prefix_o          (tx_posted_prefix_o),
      .tx_prefix_valid_o    (tx_posted_prefix_valid_o),
      .tx_err_o             (tx_posted_err_o),
      .accepted_o           (posted_accepted),
      .held_o               (posted_held),
      .pending_o            (posted_pending),
      .left_o               (posted_left),
      .left_number_o        (posted_left_number),
      .stat_dropped_o       (stat_posted_dropped_o)
  );

  iommu_nonposted_queue #(
      .DATA_W  (DATA_W),
      .SLOTS   (SLOTS),
      .NUMBER_W(NUMBER_W)
  ) u_nonposted (
      .clk_i               (clk_i),
      .rst_i               (rst_i),
      .rx_valid_i          (rx_nonposted_valid_i),
      .rx_ready_o          (rx_nonposted_ready_o),
      .rx_sop_i            (rx_nonposted_sop_i),
      .rx_eop_i            (rx_nonposted_eop_i),
      .rx_data_i           (rx_nonposted_data_i),
      .rx_empty_i          (rx_nonposted_empty_i),
      .rx_hdr_i            (rx_nonposted_hdr_i),
      .rx_err_i            (rx_nonposted_err_i),
      .memory_i            (nonposted_memory),
      .malformed_i         (nonposted_malformed),
      .atomic_i            (nonposted_atomic),
      .request_o           (nonposted_request),
      .request_grant_i     (nonposted_grant),
      .request_slot_o      (nonposted_request_slot),
      .response_valid_i    (nonposted_response),
      .response_slot_i     (response_slot),
      .response_success_i  (response_success),
      .response_ca_i       (response_ca),
      .response_spa_i      (xlate_rsp_spa_i[55:0]),
      .response_mrif_i     (xlate_rsp_mrif_i),
      .response_entry_i    (response_entry),
      .response_counts_o   (nonposted_counts),
      .response_atomic_o   (nonposted_counts_atomic),
      .posted_accepted_i   (posted_accepted),
      .posted_pending_i    (posted_pending),
      .posted_left_i       (posted_left),
      .posted_left_number_i(posted_left_number),
      .generation_i        (generation),
      .tx_valid_o          (nonposted_valid),
      .tx_ready_i          (tx_nonposted_ready_i && !nonposted_hold),
      .tx_sop_o            (tx_nonposted_sop_o),
      .tx_eop_o            (tx_nonposted_eop_o),
      .tx_data_o           (tx_nonposted_data_o),
      .tx_empty_o          (tx_nonposted_empty_o),
      .tx_hdr_o            (tx_nonposted_hdr_o),
      .tx_err_o            (tx_nonposted_err_o),
      .tx_translated_o     (nonposted_translated),
      .tx_atomic_o         (nonposted_is_atomic),
      .tx_generation_o     (nonposted_generation),
      .refused_valid_o     (refused_valid),
      .refused_ready_i     (refused_ready),
      .refused_hdr_o       (refused_hdr),
      .refused_status_o    (refused_status),
      .refused_translation_o(refused_translation),
      .refused_entry_o     (refused_entry)
  );

  assign tx_nonposted_valid_o = nonposted_valid && !nonposted_hold;
  assign stat_nonposted_refused_o = refused_valid && refused_ready && refused_status != tlp_pkg::STATUS_SC;
  assign stat_xlate_stall_o = xlate_req_valid_o && !xlate_req_ready_i;

  iommu_answer #(
      .DATA_W(DATA_W)
  ) u_answer (
      .clk_i                (clk_i),
      .rst_i                (rst_i),
      .request_valid_i      (refused_valid),
      .request_ready_o      (refused_ready),
      .request_hdr_i        (refused_hdr),
      .request_status_i     (refused_status),
      .request_translation_i(refused_translation),
      .request_entry_i      (refused_entry),
      .completer_id_i       (completer_id_i),
      .completion_valid_o   (answer_valid_o),
      .completion_ready_i   (answer_ready_i),
      .completion_sop_o     (answer_sop_o),
      .completion_eop_o     (answer_eop_o),
      .completion_data_o    (answer_data_o),
      .completion_empty_o   (answer_empty_o),
      .completion_hdr_o     (answer_hdr_o)
  );

  iommu_completion_gate #(
      .NUMBER_W(NUMBER_W)
  ) u_completion_gate (
      .clk_i               (clk_i),
      .rst_i               (rst_i),
      .rx_valid_i          (rx_completion_valid_i),
      .rx_ready_o          (rx_completion_ready_o),
      .rx_sop_i            (rx_completion_sop_i),
      .rx_eop_i            (rx_completion_eop_i),
      .rx_relaxed_i        (rx_completion_relaxed_i),
      .tx_valid_o          (tx_completion_valid_o),
      .tx_ready_i          (tx_completion_ready_i),
      .posted_settled_i    (posted_settled_i),
      .posted_held_i       (posted_held),
      .posted_pending_i    (posted_pending),
      .posted_accepted_i   (posted_accepted),
      .posted_left_i       (posted_left),
      .posted_left_number_i(posted_left_number)
  );

  iommu_drain_tracker #(
      .DRAIN_TIMEOUT(DRAIN_TIMEOUT),
      .WRITES       (TRANSLATIONS)
  ) u_drain (
      .clk_i                 (clk_i),
      .rst_i                 (rst_i),
      .drain_req_i           (drain_req_i),
      .drain_reads_i         (drain_reads_i),
      .drain_writes_i        (drain_writes_i),
      .drain_ack_o           (drain_ack_o),
      .generation_o          (generation),
      .count_read_i          (nonposted_counts),
      .count_write_i         ((posted_response && response_success) || (nonposted_counts && nonposted_counts_atomic)),
      .posted_settled_i      (posted_settled_i),
      .posted_released_i     (posted_released),
      .posted_generation_i   (posted_released_generation),
      .nonposted_valid_i     (nonposted_valid),
      .nonposted_leaves_i    (tx_nonposted_valid_o && tx_nonposted_ready_i && tx_nonposted_eop_o),
      .nonposted_hdr_i       (tx_nonposted_hdr_o),
      .nonposted_counted_i   (nonposted_translated),
      .nonposted_atomic_i    (nonposted_is_atomic),
      .nonposted_generation_i(nonposted_generation),
      .nonposted_returns_i   (tx_nonposted_returns_i && !tx_nonposted_err_o),
      .hold_o                (nonposted_hold),
      .delivered_i           (delivered_i),
      .delivered_hdr_i       (delivered_hdr_i),
      .stat_read_lost_o      (stat_read_lost_o)
  );

  generate
    if (TRANSLATIONS < 4 || (TRANSLATIONS & (TRANSLATIONS - 1)) != 0) begin : g_check_translations
      initial $fatal(1, "iommu_tlp_adapter: TRANSLATIONS must be a power of two, 4 or more");
    end
    if (DATA_W != 128 && DATA_W != 256 && DATA_W != 512) begin : g_check_width
      initial $fatal(1, "iommu_tlp_adapter: DATA_W must be 128, 256 or 512");
    end
  endgenerate

endmodule
`default_nettype wire
