`default_nettype none
// What comes up through the root port: receive buffer, IOMMU adapter, router. Memory requests leave translated, steered to the
// memory link or looped down; what is refused on the way (by the IOMMU, by the router) leaves as a completion on `answer_`.
// The streams `posted_`, `nonposted_` and `completion_` are each shown to two destinations, one handshake per destination.
// Latency: 1 cycle receive buffer, then the adapter's.
module root_upstream #(
    // Bits of a beat: 128, 256 or 512.
    parameter int DATA_W = 256,
    // Translations in flight, a power of two.
    parameter int TRANSLATIONS = 32,
    // Regions that the memory link serves (sluicegate.platform.AddressMap), multiples of 4 KiB.
    parameter [63:0] LOW_RAM_BASE = 64'h8000_0000,
    parameter [63:0] LOW_RAM_SIZE = 64'h0400_0000,
    parameter [63:0] HIGH_RAM_BASE = 64'h10_0000_0000,
    parameter [63:0] HIGH_RAM_SIZE = 64'h0400_0000,
    parameter [63:0] IMSIC_BASE = 64'h2800_0000,
    parameter [63:0] IMSIC_SIZE = 64'h1000,
    // Room of the receive buffer per class: header credits, data credits of 16 bytes.
    parameter int HEADERS = 32,
    parameter int DATA = 512,
    // Cycles without a completion after which a read that a fence waits for counts as lost.
    parameter int DRAIN_TIMEOUT = 16384,
    // Requester ID of the CPU, completer ID of the root port.
    parameter [15:0] CPU_ID = 16'h0000,
    parameter [15:0] ROOT_PORT_ID = 16'h0008,
    // Derived: bits of a translation id, of `empty`.
    parameter int ID_W = $clog2(TRANSLATIONS),
    parameter int EMPTY_W = $clog2(DATA_W / 32)
) (
    input  wire                      clk_i,
    input  wire                      rst_i,
    input  wire                      link_up_i,

    // Programming of the root port: buses below, Memory Space Enable, bridge windows in units of 1 MiB (both
    // ends included), Bus Master Enable.
    input  wire [7:0]                secondary_bus_i,
    input  wire [7:0]                subordinate_bus_i,
    input  wire                      memory_enable_i,
    input  wire [11:0]               memory_base_i,
    input  wire [11:0]               memory_limit_i,
    input  wire [43:0]               prefetchable_base_i,
    input  wire [43:0]               prefetchable_limit_i,
    input  wire                      bus_master_enable_i,

    // Link from the switch.
    input  wire                      rx_valid_i,
    output wire                      rx_ready_o,
    input  wire                      rx_sop_i,
    input  wire                      rx_eop_i,
    input  wire [DATA_W-1:0]         rx_data_i,
    input  wire [EMPTY_W-1:0]        rx_empty_i,
    input  wire [127:0]              rx_hdr_i,
    input  wire [31:0]               rx_prefix_i,
    input  wire                      rx_prefix_valid_i,
    input  wire                      rx_err_i,
    output wire [59:0]               rx_credit_limit_o,
    output wire [5:0]                rx_credit_infinite_o,

    // Posted TLPs, to the memory link or down.
    output wire                      memory_posted_valid_o,
    input  wire                      memory_posted_ready_i,
    output wire                      down_posted_valid_o,
    input  wire                      down_posted_ready_i,
    output wire                      posted_sop_o,
    output wire                      posted_eop_o,
    output wire [DATA_W-1:0]         posted_data_o,
    output wire [EMPTY_W-1:0]        posted_empty_o,
    output wire [127:0]              posted_hdr_o,
    output wire [31:0]               posted_prefix_o,
    output wire                      posted_prefix_valid_o,
    output wire                      posted_err_o,
    // All posted TLPs that went to the memory link before this cycle have been taken there (at the end of this cycle).
    input  wire                      posted_settled_i,

    // Non-posted TLPs (no prefix), to the memory link or down.
    output wire                      memory_nonposted_valid_o,
    input  wire                      memory_nonposted_ready_i,
    output wire                      down_nonposted_valid_o,
    input  wire                      down_nonposted_ready_i,
    output wire                      nonposted_sop_o,
    output wire                      nonposted_eop_o,
    output wire [DATA_W-1:0]         nonposted_data_o,
    output wire [EMPTY_W-1:0]        nonposted_empty_o,
    output wire [127:0]              nonposted_hdr_o,
    output wire                      nonposted_err_o,

    // Completions, to the CPU or down.
    output wire                      cpu_completion_valid_o,
    input  wire                      cpu_completion_ready_i,
    output wire                      down_completion_valid_o,
    input  wire                      down_completion_ready_i,
    output wire                      completion_sop_o,
    output wire                      completion_eop_o,
    output wire [DATA_W-1:0]         completion_data_o,
    output wire [EMPTY_W-1:0]        completion_empty_o,
    output wire [127:0]              completion_hdr_o,
    output wire [31:0]               completion_prefix_o,
    output wire                      completion_prefix_valid_o,
    output wire                      completion_err_o,

    // Completions that refuse a request from below.
    output wire                      answer_valid_o,
    input  wire                      answer_ready_i,
    output wire                      answer_sop_o,
    output wire                      answer_eop_o,
    output wire [DATA_W-1:0]         answer_data_o,
    output wire [EMPTY_W-1:0]        answer_empty_o,
    output wire [127:0]              answer_hdr_o,
    output wire [31:0]               answer_prefix_o,
    output wire                      answer_prefix_valid_o,
    output wire                      answer_err_o,

    // Translation port of the IOMMU (docs/interfaces.md section 3) and its fence (section 6).
    output wire                      xlate_req_valid_o,
    input  wire                      xlate_req_ready_i,
    output wire [ID_W-1:0]           xlate_req_id_o,
    output wire [23:0]               xlate_req_did_o,
    output wire                      xlate_req_pv_o,
    output wire [19:0]               xlate_req_pid_o,
    output wire                      xlate_req_priv_o,
    output wire                      xlate_req_exec_o,
    output wire [1:0]                xlate_req_at_o,
    output wire                      xlate_req_wr_o,
    output wire                      xlate_req_nw_o,
    output wire [63:0]               xlate_req_iova_o,
    input  wire                      xlate_rsp_valid_i,
    output wire                      xlate_rsp_ready_o,
    input  wire [ID_W-1:0]           xlate_rsp_id_i,
    input  wire [1:0]                xlate_rsp_status_i,
    input  wire [58:0]               xlate_rsp_spa_i,
    input  wire [7:0]                xlate_rsp_permissions_i,
    input  wire [5:0]                xlate_rsp_size_i,
    input  wire                      xlate_rsp_mrif_i,
    input  wire [10:0]               xlate_rsp_mrif_nid_i,
    input  wire [43:0]               xlate_rsp_mrif_nppn_i,
    input  wire                      xlate_rsp_mrif_quiet_i,
    input  wire [23:0]               xlate_rsp_mrif_qos_i,
    // Writes to memory-resident interrupt files, flat (mrif_write_t of the IOMMU), held until carried out.
    output wire                      mrif_valid_o,
    input  wire                      mrif_ready_i,
    output wire [iommu_spec_pkg::MRIF_W-1:0] mrif_write_o,
    // Messages to the IOMMU (docs/interfaces.md section 6), and whether it has ATS: header and prefix are those of the posted stream.
    input  wire                      ats_i,
    output wire                      page_request_valid_o,
    input  wire                      page_request_ready_i,
    output wire                      invalidate_completion_valid_o,
    input  wire                      drain_req_i,
    input  wire                      drain_reads_i,
    input  wire                      drain_writes_i,
    output wire                      drain_ack_o,
    // A completion was delivered to the link below, with its header.
    input  wire                      delivered_i,
    input  wire [127:0]              delivered_hdr_i,

    // A message ended here, with its header.
    output wire                      event_message_o,
    output wire [127:0]              event_message_hdr_o,

    // The router refused a request.
    output wire                      unsupported_o,

    // Statistics (iommu_tlp_adapter, root_upstream_router).
    output wire                      stat_posted_dropped_o,
    output wire                      stat_nonposted_refused_o,
    output wire                      stat_read_lost_o,
    output wire                      stat_xlate_stall_o,
    output wire                      stat_posted_refused_o,
    output wire                      stat_completion_unexpected_o
);

  // Received.
  wire               rx_posted_valid, rx_posted_ready;
  wire               rx_posted_sop, rx_posted_eop, rx_posted_prefix_valid, rx_posted_err;
  wire [DATA_W-1:0]  rx_posted_data;
  wire [EMPTY_W-1:0] rx_posted_empty;
  wire [127:0]       rx_posted_hdr;
  wire [31:0]        rx_posted_prefix;
  wire               rx_nonposted_valid, rx_nonposted_ready;
  wire               rx_nonposted_sop, rx_nonposted_eop, rx_nonposted_prefix_valid, rx_nonposted_err;
  wire [DATA_W-1:0]  rx_nonposted_data;
  wire [EMPTY_W-1:0] rx_nonposted_empty;
  wire [127:0]       rx_nonposted_hdr;
  wire [31:0]        rx_nonposted_prefix;
  wire               rx_completion_valid, rx_completion_ready;

  tlp_receive_buffer #(
      .DATA_W            (DATA_W),
      .POSTED_HEADERS    (HEADERS),
      .POSTED_DATA       (DATA),
      .NONPOSTED_HEADERS (HEADERS),
      .NONPOSTED_DATA    (2 * HEADERS),
      .COMPLETION_HEADERS(HEADERS),
      .COMPLETION_DATA   (DATA)
  ) u_receive (
      .clk_i                    (clk_i),
      .rst_i                    (rst_i),
      .link_up_i                (link_up_i),
      .rx_valid_i               (rx_valid_i),
      .rx_ready_o               (rx_ready_o),
      .rx_sop_i                 (rx_sop_i),
      .rx_eop_i                 (rx_eop_i),
      .rx_data_i                (rx_data_i),
      .rx_empty_i               (rx_empty_i),
      .rx_hdr_i                 (rx_hdr_i),
      .rx_prefix_i              (rx_prefix_i),
      .rx_prefix_valid_i        (rx_prefix_valid_i),
      .rx_err_i                 (rx_err_i),
      .rx_credit_limit_o        (rx_credit_limit_o),
      .rx_credit_infinite_o     (rx_credit_infinite_o),
      .posted_valid_o           (rx_posted_valid),
      .posted_ready_i           (rx_posted_ready),
      .posted_sop_o             (rx_posted_sop),
      .posted_eop_o             (rx_posted_eop),
      .posted_data_o            (rx_posted_data),
      .posted_empty_o           (rx_posted_empty),
      .posted_hdr_o             (rx_posted_hdr),
      .posted_prefix_o          (rx_posted_prefix),
      .posted_prefix_valid_o    (rx_posted_prefix_valid),
      .posted_err_o             (rx_posted_err),
      .nonposted_valid_o        (rx_nonposted_valid),
      .nonposted_ready_i        (rx_nonposted_ready),
      .nonposted_sop_o          (rx_nonposted_sop),
      .nonposted_eop_o          (rx_nonposted_eop),
      .nonposted_data_o         (rx_nonposted_data),
      .nonposted_empty_o        (rx_nonposted_empty),
      .nonposted_hdr_o          (rx_nonposted_hdr),
      .nonposted_prefix_o       (rx_nonposted_prefix),
      .nonposted_prefix_valid_o (rx_nonposted_prefix_valid),
      .nonposted_err_o          (rx_nonposted_err),
      .completion_valid_o       (rx_completion_valid),
      .completion_ready_i       (rx_completion_ready),
      .completion_sop_o         (completion_sop_o),
      .completion_eop_o         (completion_eop_o),
      .completion_data_o        (completion_data_o),
      .completion_empty_o       (completion_empty_o),
      .completion_hdr_o         (completion_hdr_o),
      .completion_prefix_o      (completion_prefix_o),
      .completion_prefix_valid_o(completion_prefix_valid_o),
      .completion_err_o         (completion_err_o)
  );

  // Past the IOMMU.
  wire posted_valid, posted_ready, nonposted_valid, nonposted_ready, nonposted_returns, completion_valid, completion_ready;
  wire               refusal_valid, refusal_ready;
  wire               refusal_sop, refusal_eop, refusal_prefix_valid, refusal_err;
  wire [DATA_W-1:0]  refusal_data;
  wire [EMPTY_W-1:0] refusal_empty;
  wire [127:0]       refusal_hdr;
  wire [31:0]        refusal_prefix;
  wire               fault_valid, fault_ready, fault_sop, fault_eop;
  wire [DATA_W-1:0]  fault_data;
  wire [EMPTY_W-1:0] fault_empty;
  wire [127:0]       fault_hdr;

  wire [55:0] mrif_address;
  wire [10:0] mrif_nid;
  wire [43:0] mrif_nppn;
  wire [23:0] mrif_qos, mrif_did;
  wire        mrif_quiet, mrif_translated, mrif_pv, mrif_priv;
  wire [19:0] mrif_pid;
  wire [63:0] mrif_iova;
  wire [31:0] mrif_data;

  assign mrif_write_o = {mrif_address, mrif_nid, mrif_nppn, mrif_quiet, mrif_qos, mrif_translated, mrif_did, mrif_pv, mrif_pid, mrif_priv,
                         mrif_iova, mrif_data};

  iommu_tlp_adapter #(
      .DATA_W       (DATA_W),
      .TRANSLATIONS (TRANSLATIONS),
      .DRAIN_TIMEOUT(DRAIN_TIMEOUT)
  ) u_adapter (
      .clk_i                      (clk_i),
      .rst_i                      (rst_i),
      .rx_posted_valid_i          (rx_posted_valid),
      .rx_posted_ready_o          (rx_posted_ready),
      .rx_posted_sop_i            (rx_posted_sop),
      .rx_posted_eop_i            (rx_posted_eop),
      .rx_posted_data_i           (rx_posted_data),
      .rx_posted_empty_i          (rx_posted_empty),
      .rx_posted_hdr_i            (rx_posted_hdr),
      .rx_posted_prefix_i         (rx_posted_prefix),
      .rx_posted_prefix_valid_i   (rx_posted_prefix_valid),
      .rx_posted_err_i            (rx_posted_err),
      .rx_nonposted_valid_i       (rx_nonposted_valid),
      .rx_nonposted_ready_o       (rx_nonposted_ready),
      .rx_nonposted_sop_i         (rx_nonposted_sop),
      .rx_nonposted_eop_i         (rx_nonposted_eop),
      .rx_nonposted_data_i        (rx_nonposted_data),
      .rx_nonposted_empty_i       (rx_nonposted_empty),
      .rx_nonposted_hdr_i         (rx_nonposted_hdr),
      .rx_nonposted_prefix_i      (rx_nonposted_prefix),
      .rx_nonposted_prefix_valid_i(rx_nonposted_prefix_valid),
      .rx_nonposted_err_i         (rx_nonposted_err),
      .rx_completion_valid_i      (rx_completion_valid),
      .rx_completion_ready_o      (rx_completion_ready),
      .rx_completion_sop_i        (completion_sop_o),
      .rx_completion_eop_i        (completion_eop_o),
      .rx_completion_relaxed_i    (completion_hdr_o[109]),
      .tx_completion_valid_o      (completion_valid),
      .tx_completion_ready_i      (completion_ready),
      .tx_posted_valid_o          (posted_valid),
      .tx_posted_ready_i          (posted_ready),
      .tx_posted_sop_o            (posted_sop_o),
      .tx_posted_eop_o            (posted_eop_o),
      .tx_posted_data_o           (posted_data_o),
      .tx_posted_empty_o          (posted_empty_o),
      .tx_posted_hdr_o            (posted_hdr_o),
      .tx_posted_prefix_o         (posted_prefix_o),
      .tx_posted_prefix_valid_o   (posted_prefix_valid_o),
      .tx_posted_err_o            (posted_err_o),
      .tx_nonposted_valid_o       (nonposted_valid),
      .tx_nonposted_ready_i       (nonposted_ready),
      .tx_nonposted_sop_o         (nonposted_sop_o),
      .tx_nonposted_eop_o         (nonposted_eop_o),
      .tx_nonposted_data_o        (nonposted_data_o),
      .tx_nonposted_empty_o       (nonposted_empty_o),
      .tx_nonposted_hdr_o         (nonposted_hdr_o),
      .tx_nonposted_err_o         (nonposted_err_o),
      .tx_nonposted_returns_i     (nonposted_returns),
      .completer_id_i             (ROOT_PORT_ID),
      .answer_valid_o             (fault_valid),
      .answer_ready_i             (fault_ready),
      .answer_sop_o               (fault_sop),
      .answer_eop_o               (fault_eop),
      .answer_data_o              (fault_data),
      .answer_empty_o             (fault_empty),
      .answer_hdr_o               (fault_hdr),
      .xlate_req_valid_o          (xlate_req_valid_o),
      .xlate_req_ready_i          (xlate_req_ready_i),
      .xlate_req_id_o             (xlate_req_id_o),
      .xlate_req_did_o            (xlate_req_did_o),
      .xlate_req_pv_o             (xlate_req_pv_o),
      .xlate_req_pid_o            (xlate_req_pid_o),
      .xlate_req_priv_o           (xlate_req_priv_o),
      .xlate_req_exec_o           (xlate_req_exec_o),
      .xlate_req_at_o             (xlate_req_at_o),
      .xlate_req_wr_o             (xlate_req_wr_o),
      .xlate_req_nw_o             (xlate_req_nw_o),
      .xlate_req_iova_o           (xlate_req_iova_o),
      .xlate_rsp_valid_i          (xlate_rsp_valid_i),
      .xlate_rsp_ready_o          (xlate_rsp_ready_o),
      .xlate_rsp_id_i             (xlate_rsp_id_i),
      .xlate_rsp_status_i         (xlate_rsp_status_i),
      .xlate_rsp_spa_i            (xlate_rsp_spa_i),
      .xlate_rsp_permissions_i    (xlate_rsp_permissions_i),
      .xlate_rsp_size_i           (xlate_rsp_size_i),
      .xlate_rsp_mrif_i           (xlate_rsp_mrif_i),
      .xlate_rsp_mrif_nid_i       (xlate_rsp_mrif_nid_i),
      .xlate_rsp_mrif_nppn_i      (xlate_rsp_mrif_nppn_i),
      .xlate_rsp_mrif_quiet_i     (xlate_rsp_mrif_quiet_i),
      .xlate_rsp_mrif_qos_i       (xlate_rsp_mrif_qos_i),
      .mrif_valid_o               (mrif_valid_o),
      .mrif_ready_i               (mrif_ready_i),
      .mrif_address_o             (mrif_address),
      .mrif_nid_o                 (mrif_nid),
      .mrif_nppn_o                (mrif_nppn),
      .mrif_quiet_o               (mrif_quiet),
      .mrif_qos_o                 (mrif_qos),
      .mrif_translated_o          (mrif_translated),
      .mrif_did_o                 (mrif_did),
      .mrif_pv_o                  (mrif_pv),
      .mrif_pid_o                 (mrif_pid),
      .mrif_priv_o                (mrif_priv),
      .mrif_iova_o                (mrif_iova),
      .mrif_data_o                (mrif_data),
      .drain_req_i                (drain_req_i),
      .drain_reads_i              (drain_reads_i),
      .drain_writes_i             (drain_writes_i),
      .drain_ack_o                (drain_ack_o),
      .posted_settled_i           (posted_settled_i),
      .delivered_i                (delivered_i),
      .delivered_hdr_i            (delivered_hdr_i),
      .stat_posted_dropped_o      (stat_posted_dropped_o),
      .stat_nonposted_refused_o   (stat_nonposted_refused_o),
      .stat_read_lost_o           (stat_read_lost_o),
      .stat_xlate_stall_o         (stat_xlate_stall_o)
  );

  // Destination by translated address and by ID.
  wire posted_in_memory, posted_in_window, posted_id_below, nonposted_in_memory, nonposted_in_window, nonposted_id_below;
  wire completion_id_below, refused_valid, refused_ready;
  wire unused_posted_secondary, unused_nonposted_secondary, unused_completion_window, unused_completion_secondary;

  root_memory_decoder #(
      .LOW_RAM_BASE (LOW_RAM_BASE),
      .LOW_RAM_SIZE (LOW_RAM_SIZE),
      .HIGH_RAM_BASE(HIGH_RAM_BASE),
      .HIGH_RAM_SIZE(HIGH_RAM_SIZE),
      .IMSIC_BASE   (IMSIC_BASE),
      .IMSIC_SIZE   (IMSIC_SIZE)
  ) u_posted_memory (
      .address_i(tlp_pkg::request_address(posted_hdr_o)),
      .memory_o (posted_in_memory)
  );

  switch_claim #(
      .PORTS(1)
  ) u_posted_claim (
      .address_i           (tlp_pkg::request_address(posted_hdr_o)),
      .bus_i               (posted_hdr_o[63:56]),
      .memory_enable_i     (memory_enable_i),
      .memory_base_i       (memory_base_i),
      .memory_limit_i      (memory_limit_i),
      .prefetchable_base_i (prefetchable_base_i),
      .prefetchable_limit_i(prefetchable_limit_i),
      .secondary_bus_i     (secondary_bus_i),
      .subordinate_bus_i   (subordinate_bus_i),
      .window_o            (posted_in_window),
      .range_o             (posted_id_below),
      .secondary_o         (unused_posted_secondary)
  );

  root_memory_decoder #(
      .LOW_RAM_BASE (LOW_RAM_BASE),
      .LOW_RAM_SIZE (LOW_RAM_SIZE),
      .HIGH_RAM_BASE(HIGH_RAM_BASE),
      .HIGH_RAM_SIZE(HIGH_RAM_SIZE),
      .IMSIC_BASE   (IMSIC_BASE),
      .IMSIC_SIZE   (IMSIC_SIZE)
  ) u_nonposted_memory (
      .address_i(tlp_pkg::request_address(nonposted_hdr_o)),
      .memory_o (nonposted_in_memory)
  );

  switch_claim #(
      .PORTS(1)
  ) u_nonposted_claim (
      .address_i           (tlp_pkg::request_address(nonposted_hdr_o)),
      .bus_i               (nonposted_hdr_o[95:88]),
      .memory_enable_i     (memory_enable_i),
      .memory_base_i       (memory_base_i),
      .memory_limit_i      (memory_limit_i),
      .prefetchable_base_i (prefetchable_base_i),
      .prefetchable_limit_i(prefetchable_limit_i),
      .secondary_bus_i     (secondary_bus_i),
      .subordinate_bus_i   (subordinate_bus_i),
      .window_o            (nonposted_in_window),
      .range_o             (nonposted_id_below),
      .secondary_o         (unused_nonposted_secondary)
  );

  switch_claim #(
      .PORTS(1)
  ) u_completion_claim (
      .address_i           (64'd0),
      .bus_i               (completion_hdr_o[63:56]),
      .memory_enable_i     (memory_enable_i),
      .memory_base_i       (memory_base_i),
      .memory_limit_i      (memory_limit_i),
      .prefetchable_base_i (prefetchable_base_i),
      .prefetchable_limit_i(prefetchable_limit_i),
      .secondary_bus_i     (secondary_bus_i),
      .subordinate_bus_i   (subordinate_bus_i),
      .window_o            (unused_completion_window),
      .range_o             (completion_id_below),
      .secondary_o         (unused_completion_secondary)
  );

  root_upstream_router #(
      .CPU_ID      (CPU_ID),
      .ROOT_PORT_ID(ROOT_PORT_ID)
  ) u_router (
      .clk_i                       (clk_i),
      .rst_i                       (rst_i),
      .bus_master_i                (bus_master_enable_i),
      .posted_valid_i              (posted_valid),
      .posted_ready_o              (posted_ready),
      .posted_sop_i                (posted_sop_o),
      .posted_eop_i                (posted_eop_o),
      .posted_err_i                (posted_err_o),
      .posted_hdr_i                (posted_hdr_o),
      .posted_in_memory_i          (posted_in_memory),
      .posted_in_window_i          (posted_in_window),
      .posted_id_below_i           (posted_id_below),
      .ats_i                       (ats_i),
      .posted_settled_i            (posted_settled_i),
      .page_request_valid_o        (page_request_valid_o),
      .page_request_ready_i        (page_request_ready_i),
      .invalidate_completion_valid_o(invalidate_completion_valid_o),
      .memory_posted_valid_o       (memory_posted_valid_o),
      .memory_posted_ready_i       (memory_posted_ready_i),
      .down_posted_valid_o         (down_posted_valid_o),
      .down_posted_ready_i         (down_posted_ready_i),
      .nonposted_valid_i           (nonposted_valid),
      .nonposted_ready_o           (nonposted_ready),
      .nonposted_sop_i             (nonposted_sop_o),
      .nonposted_eop_i             (nonposted_eop_o),
      .nonposted_err_i             (nonposted_err_o),
      .nonposted_hdr_i             (nonposted_hdr_o),
      .nonposted_in_memory_i       (nonposted_in_memory),
      .nonposted_in_window_i       (nonposted_in_window),
      .nonposted_id_below_i        (nonposted_id_below),
      .nonposted_returns_o         (nonposted_returns),
      .memory_nonposted_valid_o    (memory_nonposted_valid_o),
      .memory_nonposted_ready_i    (memory_nonposted_ready_i),
      .down_nonposted_valid_o      (down_nonposted_valid_o),
      .down_nonposted_ready_i      (down_nonposted_ready_i),
      .refused_valid_o             (refused_valid),
      .refused_ready_i             (refused_ready),
      .completion_valid_i          (completion_valid),
      .completion_ready_o          (completion_ready),
      .completion_sop_i            (completion_sop_o),
      .completion_eop_i            (completion_eop_o),
      .completion_hdr_i            (completion_hdr_o),
      .completion_id_below_i       (completion_id_below),
      .cpu_completion_valid_o      (cpu_completion_valid_o),
      .cpu_completion_ready_i      (cpu_completion_ready_i),
      .down_completion_valid_o     (down_completion_valid_o),
      .down_completion_ready_i     (down_completion_ready_i),
      .event_message_o             (event_message_o),
      .event_message_hdr_o         (event_message_hdr_o),
      .stat_posted_refused_o       (stat_posted_refused_o),
      .stat_completion_unexpected_o(stat_completion_unexpected_o)
  );

  tlp_completion_generator #(
      .DATA_W(DATA_W)
  ) u_refusal (
      .clk_i                    (clk_i),
      .rst_i                    (rst_i),
      .request_valid_i          (refused_valid),
      .request_ready_o          (refused_ready),
      .request_hdr_i            (nonposted_hdr_o),
      .request_status_i         (tlp_pkg::STATUS_UR),
      .request_with_data_i      (1'b0),
      .request_data_i           (32'd0),
      .request_completer_i      (ROOT_PORT_ID),
      .completion_valid_o       (refusal_valid),
      .completion_ready_i       (refusal_ready),
      .completion_sop_o         (refusal_sop),
      .completion_eop_o         (refusal_eop),
      .completion_data_o        (refusal_data),
      .completion_empty_o       (refusal_empty),
      .completion_hdr_o         (refusal_hdr),
      .completion_prefix_o      (refusal_prefix),
      .completion_prefix_valid_o(refusal_prefix_valid),
      .completion_err_o         (refusal_err)
  );

  tlp_stream_mux #(
      .DATA_W(DATA_W),
      .INPUTS(2)
  ) u_answer (
      .clk_i             (clk_i),
      .rst_i             (rst_i),
      .in_valid_i        ({refusal_valid, fault_valid}),
      .in_ready_o        ({refusal_ready, fault_ready}),
      .in_sop_i          ({refusal_sop, fault_sop}),
      .in_eop_i          ({refusal_eop, fault_eop}),
      .in_data_i         ({refusal_data, fault_data}),
      .in_empty_i        ({refusal_empty, fault_empty}),
      .in_hdr_i          ({refusal_hdr, fault_hdr}),
      .in_prefix_i       ({refusal_prefix, 32'd0}),
      .in_prefix_valid_i ({refusal_prefix_valid, 1'b0}),
      .in_err_i          ({refusal_err, 1'b0}),
      .out_valid_o       (answer_valid_o),
      .out_ready_i       (answer_ready_i),
      .out_sop_o         (answer_sop_o),
      .out_eop_o         (answer_eop_o),
      .out_data_o        (answer_data_o),
      .out_empty_o       (answer_empty_o),
      .out_hdr_o         (answer_hdr_o),
      .out_prefix_o      (answer_prefix_o),
      .out_prefix_valid_o(answer_prefix_valid_o),
      .out_err_o         (answer_err_o)
  );

  assign unsupported_o = stat_posted_refused_o || (refused_valid && refused_ready);

endmodule
`default_nettype wire
