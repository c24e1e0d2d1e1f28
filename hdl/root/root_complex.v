`default_nettype none
// Root complex: host bridge 00:00.0, root port 00:01.0, the IOMMU, and the router between three TLP links.
//
//   down_   to the switch: everything of the devices; CPU requests and completions go down
//   memory_ to host memory: translated requests out, their completions in
//   cpu_    from the CPU: configuration and memory requests in, their completions out
//
// What comes up passes the IOMMU (iommu_tlp_adapter) and is routed by its translated address (root_upstream_router): host memory and
// interrupt page to the memory link, bridge windows of the root port back down (peer to peer through the host bridge), else UR.
// The IOMMU's own accesses (walks, queues, interrupts) use its memory port and never wait for a TLP link.
// On the down link looped requests, CPU requests, answers of the IOMMU and memory completions take turns per class; posted and
// completions never wait for non-posted (tlp_transmit_arbiter). PCIe ordering holds per direction: nothing is queued between
// the receive buffers (which order the classes) and the links except in the IOMMU adapter, which keeps the order itself.
//
// Latency with a warm IOTLB: 1 cycle receive buffer, adapter (4 posted, 5 non-posted with a 2-cycle IOTLB), 1 cycle arbiter.
module root_complex #(
    // Bits of a beat: 128, 256 or 512.
    parameter int DATA_W = 256,
    // Translations of device requests in flight, a power of two.
    parameter int TRANSLATIONS = 32,
    // Bits of the ids of the IOMMU's memory port.
    parameter int MEM_ID_W = 8,
    // Regions that the memory link serves (sluicegate.platform.AddressMap), multiples of 4 KiB.
    parameter [63:0] LOW_RAM_BASE = 64'h8000_0000,
    parameter [63:0] LOW_RAM_SIZE = 64'h0400_0000,
    parameter [63:0] HIGH_RAM_BASE = 64'h10_0000_0000,
    parameter [63:0] HIGH_RAM_SIZE = 64'h0400_0000,
    parameter [63:0] IMSIC_BASE = 64'h2800_0000,
    parameter [63:0] IMSIC_SIZE = 64'h1000,
    // Room of the receive buffers: header credits, data credits of 16 bytes.
    parameter int DOWN_HEADERS = 32,
    parameter int DOWN_DATA = 512,
    parameter int MEMORY_COMPLETION_HEADERS = 64,
    parameter int MEMORY_COMPLETION_DATA = 1024,
    parameter int CPU_HEADERS = 16,
    parameter int CPU_DATA = 64,
    // Cycles without a completion after which a read that a fence waits for counts as lost.
    parameter int DRAIN_TIMEOUT = 16384,
    // Cycles after which an invalidate request that its device has not completed counts as timed out.
    parameter [39:0] INVALIDATE_TIMEOUT = 40'd15_000_000_000,
    // Derived: bits of `empty`.
    parameter int EMPTY_W = $clog2(DATA_W / 32)
) (
    input  wire                clk_i,
    input  wire                rst_i,

    // All links are up; static features of the IOMMU (its capabilities register).
    input  wire                link_up_i,
    input  wire [63:0]         capabilities_i,

    // Link to the switch: upstream traffic in, downstream traffic out.
    input  wire                      down_rx_valid_i,
    output wire                      down_rx_ready_o,
    input  wire                      down_rx_sop_i,
    input  wire                      down_rx_eop_i,
    input  wire [DATA_W-1:0]         down_rx_data_i,
    input  wire [EMPTY_W-1:0]        down_rx_empty_i,
    input  wire [127:0]              down_rx_hdr_i,
    input  wire [31:0]               down_rx_prefix_i,
    input  wire                      down_rx_prefix_valid_i,
    input  wire                      down_rx_err_i,
    output wire [59:0]               down_rx_credit_limit_o,
    output wire [5:0]                down_rx_credit_infinite_o,
    output wire                      down_tx_valid_o,
    input  wire                      down_tx_ready_i,
    output wire                      down_tx_sop_o,
    output wire                      down_tx_eop_o,
    output wire [DATA_W-1:0]         down_tx_data_o,
    output wire [EMPTY_W-1:0]        down_tx_empty_o,
    output wire [127:0]              down_tx_hdr_o,
    output wire [31:0]               down_tx_prefix_o,
    output wire                      down_tx_prefix_valid_o,
    output wire                      down_tx_err_o,
    input  wire [59:0]               down_tx_credit_limit_i,
    input  wire [5:0]                down_tx_credit_infinite_i,

    // Host memory: translated requests out, their completions in.
    output wire                      memory_tx_valid_o,
    input  wire                      memory_tx_ready_i,
    output wire                      memory_tx_sop_o,
    output wire                      memory_tx_eop_o,
    output wire [DATA_W-1:0]         memory_tx_data_o,
    output wire [EMPTY_W-1:0]        memory_tx_empty_o,
    output wire [127:0]              memory_tx_hdr_o,
    output wire [31:0]               memory_tx_prefix_o,
    output wire                      memory_tx_prefix_valid_o,
    output wire                      memory_tx_err_o,
    input  wire [59:0]               memory_tx_credit_limit_i,
    input  wire [5:0]                memory_tx_credit_infinite_i,
    input  wire                      memory_rx_valid_i,
    output wire                      memory_rx_ready_o,
    input  wire                      memory_rx_sop_i,
    input  wire                      memory_rx_eop_i,
    input  wire [DATA_W-1:0]         memory_rx_data_i,
    input  wire [EMPTY_W-1:0]        memory_rx_empty_i,
    input  wire [127:0]              memory_rx_hdr_i,
    input  wire [31:0]               memory_rx_prefix_i,
    input  wire                      memory_rx_prefix_valid_i,
    input  wire                      memory_rx_err_i,
    output wire [59:0]               memory_rx_credit_limit_o,
    output wire [5:0]                memory_rx_credit_infinite_o,

    // CPU: requests in, completions out.
    input  wire                      cpu_rx_valid_i,
    output wire                      cpu_rx_ready_o,
    input  wire                      cpu_rx_sop_i,
    input  wire                      cpu_rx_eop_i,
    input  wire [DATA_W-1:0]         cpu_rx_data_i,
    input  wire [EMPTY_W-1:0]        cpu_rx_empty_i,
    input  wire [127:0]              cpu_rx_hdr_i,
    input  wire [31:0]               cpu_rx_prefix_i,
    input  wire                      cpu_rx_prefix_valid_i,
    input  wire                      cpu_rx_err_i,
    output wire [59:0]               cpu_rx_credit_limit_o,
    output wire [5:0]                cpu_rx_credit_infinite_o,
    output wire                      cpu_tx_valid_o,
    input  wire                      cpu_tx_ready_i,
    output wire                      cpu_tx_sop_o,
    output wire                      cpu_tx_eop_o,
    output wire [DATA_W-1:0]         cpu_tx_data_o,
    output wire [EMPTY_W-1:0]        cpu_tx_empty_o,
    output wire [127:0]              cpu_tx_hdr_o,
    output wire [31:0]               cpu_tx_prefix_o,
    output wire                      cpu_tx_prefix_valid_o,
    output wire                      cpu_tx_err_o,
    input  wire [59:0]               cpu_tx_credit_limit_i,
    input  wire [5:0]                cpu_tx_credit_infinite_i,

    // Memory port of the IOMMU (docs/interfaces.md section 4).
    output wire                iommu_mem_req_valid_o,
    input  wire                iommu_mem_req_ready_i,
    output wire [MEM_ID_W-1:0] iommu_mem_req_id_o,
    output wire [1:0]          iommu_mem_req_op_o,
    output wire [55:0]         iommu_mem_req_addr_o,
    output wire [6:0]          iommu_mem_req_size_o,
    output wire [511:0]        iommu_mem_req_wdata_o,
    output wire [63:0]         iommu_mem_req_strobe_o,
    output wire [23:0]         iommu_mem_req_qos_o,
    output wire [1:0]          iommu_mem_req_pbmt_o,
    input  wire                iommu_mem_rsp_valid_i,
    output wire                iommu_mem_rsp_ready_o,
    input  wire [MEM_ID_W-1:0] iommu_mem_rsp_id_i,
    input  wire [511:0]        iommu_mem_rsp_data_i,
    input  wire [7:0]          iommu_mem_rsp_err_i,
    input  wire [7:0]          iommu_mem_rsp_poison_i,

    // Register bus of the IOMMU (section 5).
    input  wire                iommu_reg_valid_i,
    input  wire                iommu_reg_write_i,
    input  wire [11:0]         iommu_reg_address_i,
    input  wire [63:0]         iommu_reg_wdata_i,
    input  wire [7:0]          iommu_reg_strobe_i,
    output wire                iommu_reg_ready_o,
    output wire [63:0]         iommu_reg_rdata_o,

    // Wired interrupts of the IOMMU.
    output wire [15:0]         iommu_wire_o,

    // Observation strobes: command completed, fault recorded, message from below ended here.
    output wire                event_command_o,
    output wire [63:0]         event_command_w0_o,
    output wire [63:0]         event_command_w1_o,
    output wire                event_fault_o,
    output wire                event_message_o,
    output wire [127:0]        event_message_hdr_o,

    // Statistics of the IOMMU (section 6), of its adapter, and of the routers.
    output wire                stat_l1_hit_o,
    output wire                stat_l2_hit_o,
    output wire                stat_miss_o,
    output wire                stat_walk_start_o,
    output wire                stat_walk_end_o,
    output wire                stat_posted_dropped_o,
    output wire                stat_nonposted_refused_o,
    output wire                stat_read_lost_o,
    output wire                stat_xlate_stall_o,
    output wire                stat_upstream_posted_refused_o,
    output wire                stat_upstream_completion_unexpected_o,
    output wire                stat_cpu_posted_refused_o,
    output wire                stat_memory_completion_unexpected_o,
    output wire                stat_invalidate_unexpected_o,
    output wire                stat_invalidate_timeout_o,
    output wire                stat_message_dropped_o
);

  localparam int ID_W = $clog2(TRANSLATIONS);
  // Requester ID of the CPU (00:00.0) and completer ID of the root port (00:01.0).
  localparam [15:0] CPU_ID = 16'h0000;
  localparam [15:0] ROOT_PORT_ID = 16'h0008;
  localparam [7:0] PASID_PREFIX = 8'h91;

  // Programming of the root port.
  wire [7:0]  secondary_bus, subordinate_bus;
  wire        memory_enable, bus_master_enable, up_unsupported;
  wire [11:0] memory_base, memory_limit;
  wire [43:0] prefetchable_base, prefetchable_limit;

  // Streams between the parts; a stream shown to two destinations has one handshake for each.
  wire               memory_posted_valid, memory_posted_ready, loop_posted_valid, loop_posted_ready, posted_settled;
  wire               up_posted_sop, up_posted_eop, up_posted_prefix_valid, up_posted_err;
  wire [DATA_W-1:0]  up_posted_data;
  wire [EMPTY_W-1:0] up_posted_empty;
  wire [127:0]       up_posted_hdr;
  wire [31:0]        up_posted_prefix;
  wire               memory_nonposted_valid, memory_nonposted_ready, loop_nonposted_valid, loop_nonposted_ready;
  wire               up_nonposted_sop, up_nonposted_eop, up_nonposted_err;
  wire [DATA_W-1:0]  up_nonposted_data;
  wire [EMPTY_W-1:0] up_nonposted_empty;
  wire [127:0]       up_nonposted_hdr;
  wire               device_completion_valid, device_completion_ready, loop_completion_valid, loop_completion_ready;
  wire               up_completion_sop, up_completion_eop, up_completion_prefix_valid, up_completion_err;
  wire [DATA_W-1:0]  up_completion_data;
  wire [EMPTY_W-1:0] up_completion_empty;
  wire [127:0]       up_completion_hdr;
  wire [31:0]        up_completion_prefix;
  wire               message_posted_valid, message_posted_ready;
  wire               message_posted_sop, message_posted_eop, message_posted_prefix_valid;
  wire [DATA_W-1:0]  message_posted_data;
  wire [EMPTY_W-1:0] message_posted_empty;
  wire [127:0]       message_posted_hdr;
  wire [31:0]        message_posted_prefix;
  wire               answer_valid, answer_ready;
  wire               answer_sop, answer_eop, answer_prefix_valid, answer_err;
  wire [DATA_W-1:0]  answer_data;
  wire [EMPTY_W-1:0] answer_empty;
  wire [127:0]       answer_hdr;
  wire [31:0]        answer_prefix;
  wire               memory_completion_valid, memory_completion_ready;
  wire               memory_completion_sop, memory_completion_eop, memory_completion_prefix_valid, memory_completion_err;
  wire [DATA_W-1:0]  memory_completion_data;
  wire [EMPTY_W-1:0] memory_completion_empty;
  wire [127:0]       memory_completion_hdr;
  wire [31:0]        memory_completion_prefix;
  wire               cpu_posted_valid, cpu_posted_ready;
  wire               cpu_posted_sop, cpu_posted_eop, cpu_posted_prefix_valid, cpu_posted_err;
  wire [DATA_W-1:0]  cpu_posted_data;
  wire [EMPTY_W-1:0] cpu_posted_empty;
  wire [127:0]       cpu_posted_hdr;
  wire [31:0]        cpu_posted_prefix;
  wire               cpu_nonposted_valid, cpu_nonposted_ready;
  wire               cpu_nonposted_sop, cpu_nonposted_eop, cpu_nonposted_prefix_valid, cpu_nonposted_err;
  wire [DATA_W-1:0]  cpu_nonposted_data;
  wire [EMPTY_W-1:0] cpu_nonposted_empty;
  wire [127:0]       cpu_nonposted_hdr;
  wire [31:0]        cpu_nonposted_prefix;

  // Completion delivered to the link below; its header is valid at sop.
  wire               delivered;
  wire [127:0]       delivered_hdr;
  logic [127:0]      delivered_hdr_q;

  // IOMMU.
  wire            xlate_req_valid, xlate_req_ready, xlate_req_pv, xlate_req_priv, xlate_req_exec, xlate_req_wr, xlate_req_nw;
  wire [ID_W-1:0] xlate_req_id, xlate_rsp_id;
  wire [23:0]     xlate_req_did;
  wire [19:0]     xlate_req_pid;
  wire [1:0]      xlate_req_at, xlate_rsp_status;
  wire [63:0]     xlate_req_iova;
  wire            xlate_rsp_valid, xlate_rsp_ready;
  wire [58:0]     xlate_rsp_spa;
  wire [1:0]      xlate_rsp_pbmt;
  wire [7:0]      xlate_rsp_permissions;
  wire [5:0]      xlate_rsp_size;
  wire            xlate_rsp_mrif;
  wire [10:0]     xlate_rsp_mrif_nid;
  wire [43:0]     xlate_rsp_mrif_nppn;
  wire            xlate_rsp_mrif_quiet;
  wire [23:0]     xlate_rsp_mrif_qos;
  wire            unused_translation = &{1'b0, xlate_rsp_pbmt};
  wire            drain_req, drain_reads, drain_writes, drain_ack;
  // Writes to interrupt files (mrif_write_t), and the messages of the IOMMU.
  wire                              mrif_valid, mrif_ready;
  wire [iommu_spec_pkg::MRIF_W-1:0] mrif_write;
  wire                              page_request_valid, page_request_ready, invalidate_completion_valid;
  wire                              message_valid, message_ready, message_invalidate, message_dsv, message_pv;
  wire [7:0]                        message_dseg;
  wire [15:0]                       message_rid;
  wire [19:0]                       message_pid;
  wire [4:0]                        message_itag;
  wire [63:0]                       message_payload;
  wire                              up_posted_pasid = up_posted_prefix_valid && up_posted_prefix[31:24] == PASID_PREFIX;

  wire unused_neighbour;

  riscv_iommu #(
      .ID_W              (ID_W),
      .MEM_ID_W          (MEM_ID_W),
      .INVALIDATE_TIMEOUT(INVALIDATE_TIMEOUT)
  ) u_iommu (
      .clk_i                  (clk_i),
      .rst_i                  (rst_i),
      .capabilities_i         (capabilities_i),
      .xlate_req_valid_i      (xlate_req_valid),
      .xlate_req_ready_o      (xlate_req_ready),
      .xlate_req_id_i         (xlate_req_id),
      .xlate_req_did_i        (xlate_req_did),
      .xlate_req_pv_i         (xlate_req_pv),
      .xlate_req_pid_i        (xlate_req_pid),
      .xlate_req_priv_i       (xlate_req_priv),
      .xlate_req_exec_i       (xlate_req_exec),
      .xlate_req_at_i         (xlate_req_at),
      .xlate_req_wr_i         (xlate_req_wr),
      .xlate_req_nw_i         (xlate_req_nw),
      .xlate_req_iova_i       (xlate_req_iova),
      .xlate_rsp_valid_o      (xlate_rsp_valid),
      .xlate_rsp_ready_i      (xlate_rsp_ready),
      .xlate_rsp_id_o         (xlate_rsp_id),
      .xlate_rsp_status_o     (xlate_rsp_status),
      .xlate_rsp_spa_o        (xlate_rsp_spa),
      .xlate_rsp_pbmt_o       (xlate_rsp_pbmt),
      .xlate_rsp_permissions_o(xlate_rsp_permissions),
      .xlate_rsp_size_o       (xlate_rsp_size),
      .xlate_rsp_mrif_o       (xlate_rsp_mrif),
      .xlate_rsp_mrif_nid_o   (xlate_rsp_mrif_nid),
      .xlate_rsp_mrif_nppn_o  (xlate_rsp_mrif_nppn),
      .xlate_rsp_mrif_quiet_o (xlate_rsp_mrif_quiet),
      .xlate_rsp_mrif_qos_o   (xlate_rsp_mrif_qos),
      .mrif_valid_i           (mrif_valid),
      .mrif_ready_o           (mrif_ready),
      .mrif_address_i         (mrif_write[278:223]),
      .mrif_nid_i             (mrif_write[222:212]),
      .mrif_nppn_i            (mrif_write[211:168]),
      .mrif_quiet_i           (mrif_write[167]),
      .mrif_qos_i             (mrif_write[166:143]),
      .mrif_translated_i      (mrif_write[142]),
      .mrif_did_i             (mrif_write[141:118]),
      .mrif_pv_i              (mrif_write[117]),
      .mrif_pid_i             (mrif_write[116:97]),
      .mrif_priv_i            (mrif_write[96]),
      .mrif_iova_i            (mrif_write[95:32]),
      .mrif_data_i            (mrif_write[31:0]),
      .page_req_valid_i       (page_request_valid),
      .page_req_ready_o       (page_request_ready),
      .page_req_dsv_i         (1'b0),
      .page_req_did_i         ({8'd0, up_posted_hdr[95:80]}),
      .page_req_pv_i          (up_posted_pasid),
      .page_req_pid_i         (up_posted_prefix[19:0]),
      .page_req_priv_i        (up_posted_prefix[21]),
      .page_req_exec_i        (up_posted_prefix[20]),
      .page_req_payload_i     (up_posted_hdr[63:0]),
      .invalidate_completion_valid_i(invalidate_completion_valid),
      .invalidate_completion_did_i  ({8'd0, up_posted_hdr[95:80]}),
      .invalidate_completion_tags_i (up_posted_hdr[31:0]),
      .invalidate_completion_count_i(up_posted_hdr[34:32]),
      .message_valid_o        (message_valid),
      .message_ready_i        (message_ready),
      .message_invalidate_o   (message_invalidate),
      .message_dsv_o          (message_dsv),
      .message_dseg_o         (message_dseg),
      .message_rid_o          (message_rid),
      .message_pv_o           (message_pv),
      .message_pid_o          (message_pid),
      .message_itag_o         (message_itag),
      .message_payload_o      (message_payload),
      .mem_req_valid_o        (iommu_mem_req_valid_o),
      .mem_req_ready_i        (iommu_mem_req_ready_i),
      .mem_req_id_o           (iommu_mem_req_id_o),
      .mem_req_op_o           (iommu_mem_req_op_o),
      .mem_req_addr_o         (iommu_mem_req_addr_o),
      .mem_req_size_o         (iommu_mem_req_size_o),
      .mem_req_wdata_o        (iommu_mem_req_wdata_o),
      .mem_req_strobe_o       (iommu_mem_req_strobe_o),
      .mem_req_qos_o          (iommu_mem_req_qos_o),
      .mem_req_pbmt_o         (iommu_mem_req_pbmt_o),
      .mem_rsp_valid_i        (iommu_mem_rsp_valid_i),
      .mem_rsp_ready_o        (iommu_mem_rsp_ready_o),
      .mem_rsp_id_i           (iommu_mem_rsp_id_i),
      .mem_rsp_data_i         (iommu_mem_rsp_data_i),
      .mem_rsp_err_i          (iommu_mem_rsp_err_i),
      .mem_rsp_poison_i       (iommu_mem_rsp_poison_i),
      .reg_valid_i            (iommu_reg_valid_i),
      .reg_write_i            (iommu_reg_write_i),
      .reg_address_i          (iommu_reg_address_i),
      .reg_wdata_i            (iommu_reg_wdata_i),
      .reg_strobe_i           (iommu_reg_strobe_i),
      .reg_ready_o            (iommu_reg_ready_o),
      .reg_rdata_o            (iommu_reg_rdata_o),
      .wire_o                 (iommu_wire_o),
      .drain_req_o            (drain_req),
      .drain_reads_o          (drain_reads),
      .drain_writes_o         (drain_writes),
      .drain_ack_i            (drain_ack),
      .event_command_o        (event_command_o),
      .event_command_w0_o     (event_command_w0_o),
      .event_command_w1_o     (event_command_w1_o),
      .event_fault_o          (event_fault_o),
      .stat_l1_hit_o          (stat_l1_hit_o),
      .stat_l2_hit_o          (stat_l2_hit_o),
      .stat_miss_o            (stat_miss_o),
      .stat_walk_start_o      (stat_walk_start_o),
      .stat_walk_end_o        (stat_walk_end_o),
      .stat_invalidate_unexpected_o(stat_invalidate_unexpected_o),
      .stat_invalidate_timeout_o   (stat_invalidate_timeout_o),
      .stat_neighbour_o            (unused_neighbour)
  );

  root_upstream #(
      .DATA_W       (DATA_W),
      .TRANSLATIONS (TRANSLATIONS),
      .LOW_RAM_BASE (LOW_RAM_BASE),
      .LOW_RAM_SIZE (LOW_RAM_SIZE),
      .HIGH_RAM_BASE(HIGH_RAM_BASE),
      .HIGH_RAM_SIZE(HIGH_RAM_SIZE),
      .IMSIC_BASE   (IMSIC_BASE),
      .IMSIC_SIZE   (IMSIC_SIZE),
      .HEADERS      (DOWN_HEADERS),
      .DATA         (DOWN_DATA),
      .DRAIN_TIMEOUT(DRAIN_TIMEOUT),
      .CPU_ID       (CPU_ID),
      .ROOT_PORT_ID (ROOT_PORT_ID)
  ) u_upstream (
      .clk_i                       (clk_i),
      .rst_i                       (rst_i),
      .link_up_i                   (link_up_i),
      .secondary_bus_i             (secondary_bus),
      .subordinate_bus_i           (subordinate_bus),
      .memory_enable_i             (memory_enable),
      .memory_base_i               (memory_base),
      .memory_limit_i              (memory_limit),
      .prefetchable_base_i         (prefetchable_base),
      .prefetchable_limit_i        (prefetchable_limit),
      .bus_master_enable_i         (bus_master_enable),
      .rx_valid_i                  (down_rx_valid_i),
      .rx_ready_o                  (down_rx_ready_o),
      .rx_sop_i                    (down_rx_sop_i),
      .rx_eop_i                    (down_rx_eop_i),
      .rx_data_i                   (down_rx_data_i),
      .rx_empty_i                  (down_rx_empty_i),
      .rx_hdr_i                    (down_rx_hdr_i),
      .rx_prefix_i                 (down_rx_prefix_i),
      .rx_prefix_valid_i           (down_rx_prefix_valid_i),
      .rx_err_i                    (down_rx_err_i),
      .rx_credit_limit_o           (down_rx_credit_limit_o),
      .rx_credit_infinite_o        (down_rx_credit_infinite_o),
      .memory_posted_valid_o       (memory_posted_valid),
      .memory_posted_ready_i       (memory_posted_ready),
      .down_posted_valid_o         (loop_posted_valid),
      .down_posted_ready_i         (loop_posted_ready),
      .posted_sop_o                (up_posted_sop),
      .posted_eop_o                (up_posted_eop),
      .posted_data_o               (up_posted_data),
      .posted_empty_o              (up_posted_empty),
      .posted_hdr_o                (up_posted_hdr),
      .posted_prefix_o             (up_posted_prefix),
      .posted_prefix_valid_o       (up_posted_prefix_valid),
      .posted_err_o                (up_posted_err),
      .posted_settled_i            (posted_settled),
      .memory_nonposted_valid_o    (memory_nonposted_valid),
      .memory_nonposted_ready_i    (memory_nonposted_ready),
      .down_nonposted_valid_o      (loop_nonposted_valid),
      .down_nonposted_ready_i      (loop_nonposted_ready),
      .nonposted_sop_o             (up_nonposted_sop),
      .nonposted_eop_o             (up_nonposted_eop),
      .nonposted_data_o            (up_nonposted_data),
      .nonposted_empty_o           (up_nonposted_empty),
      .nonposted_hdr_o             (up_nonposted_hdr),
      .nonposted_err_o             (up_nonposted_err),
      .cpu_completion_valid_o      (device_completion_valid),
      .cpu_completion_ready_i      (device_completion_ready),
      .down_completion_valid_o     (loop_completion_valid),
      .down_completion_ready_i     (loop_completion_ready),
      .completion_sop_o            (up_completion_sop),
      .completion_eop_o            (up_completion_eop),
      .completion_data_o           (up_completion_data),
      .completion_empty_o          (up_completion_empty),
      .completion_hdr_o            (up_completion_hdr),
      .completion_prefix_o         (up_completion_prefix),
      .completion_prefix_valid_o   (up_completion_prefix_valid),
      .completion_err_o            (up_completion_err),
      .answer_valid_o              (answer_valid),
      .answer_ready_i              (answer_ready),
      .answer_sop_o                (answer_sop),
      .answer_eop_o                (answer_eop),
      .answer_data_o               (answer_data),
      .answer_empty_o              (answer_empty),
      .answer_hdr_o                (answer_hdr),
      .answer_prefix_o             (answer_prefix),
      .answer_prefix_valid_o       (answer_prefix_valid),
      .answer_err_o                (answer_err),
      .xlate_req_valid_o           (xlate_req_valid),
      .xlate_req_ready_i           (xlate_req_ready),
      .xlate_req_id_o              (xlate_req_id),
      .xlate_req_did_o             (xlate_req_did),
      .xlate_req_pv_o              (xlate_req_pv),
      .xlate_req_pid_o             (xlate_req_pid),
      .xlate_req_priv_o            (xlate_req_priv),
      .xlate_req_exec_o            (xlate_req_exec),
      .xlate_req_at_o              (xlate_req_at),
      .xlate_req_wr_o              (xlate_req_wr),
      .xlate_req_nw_o              (xlate_req_nw),
      .xlate_req_iova_o            (xlate_req_iova),
      .xlate_rsp_valid_i           (xlate_rsp_valid),
      .xlate_rsp_ready_o           (xlate_rsp_ready),
      .xlate_rsp_id_i              (xlate_rsp_id),
      .xlate_rsp_status_i          (xlate_rsp_status),
      .xlate_rsp_spa_i             (xlate_rsp_spa),
      .xlate_rsp_permissions_i     (xlate_rsp_permissions),
      .xlate_rsp_size_i            (xlate_rsp_size),
      .xlate_rsp_mrif_i            (xlate_rsp_mrif),
      .xlate_rsp_mrif_nid_i        (xlate_rsp_mrif_nid),
      .xlate_rsp_mrif_nppn_i       (xlate_rsp_mrif_nppn),
      .xlate_rsp_mrif_quiet_i      (xlate_rsp_mrif_quiet),
      .xlate_rsp_mrif_qos_i        (xlate_rsp_mrif_qos),
      .mrif_valid_o                (mrif_valid),
      .mrif_ready_i                (mrif_ready),
      .mrif_write_o                (mrif_write),
      .ats_i                       (capabilities_i[iommu_spec_pkg::CAP_ATS]),
      .page_request_valid_o        (page_request_valid),
      .page_request_ready_i        (page_request_ready),
      .invalidate_completion_valid_o(invalidate_completion_valid),
      .drain_req_i                 (drain_req),
      .drain_reads_i               (drain_reads),
      .drain_writes_i              (drain_writes),
      .drain_ack_o                 (drain_ack),
      .delivered_i                 (delivered),
      .delivered_hdr_i             (delivered_hdr),
      .event_message_o             (event_message_o),
      .event_message_hdr_o         (event_message_hdr_o),
      .stat_posted_dropped_o       (stat_posted_dropped_o),
      .stat_nonposted_refused_o    (stat_nonposted_refused_o),
      .stat_read_lost_o            (stat_read_lost_o),
      .stat_xlate_stall_o          (stat_xlate_stall_o),
      .stat_posted_refused_o       (stat_upstream_posted_refused_o),
      .stat_completion_unexpected_o(stat_upstream_completion_unexpected_o),
      .unsupported_o               (up_unsupported)
  );

  root_memory_port #(
      .DATA_W (DATA_W),
      .HEADERS(MEMORY_COMPLETION_HEADERS),
      .DATA   (MEMORY_COMPLETION_DATA)
  ) u_memory_port (
      .clk_i                       (clk_i),
      .rst_i                       (rst_i),
      .link_up_i                   (link_up_i),
      .secondary_bus_i             (secondary_bus),
      .subordinate_bus_i           (subordinate_bus),
      .posted_valid_i              (memory_posted_valid),
      .posted_ready_o              (memory_posted_ready),
      .posted_sop_i                (up_posted_sop),
      .posted_eop_i                (up_posted_eop),
      .posted_data_i               (up_posted_data),
      .posted_empty_i              (up_posted_empty),
      .posted_hdr_i                (up_posted_hdr),
      .posted_prefix_i             (up_posted_prefix),
      .posted_prefix_valid_i       (up_posted_prefix_valid),
      .posted_err_i                (up_posted_err),
      .posted_settled_o            (posted_settled),
      .nonposted_valid_i           (memory_nonposted_valid),
      .nonposted_ready_o           (memory_nonposted_ready),
      .nonposted_sop_i             (up_nonposted_sop),
      .nonposted_eop_i             (up_nonposted_eop),
      .nonposted_data_i            (up_nonposted_data),
      .nonposted_empty_i           (up_nonposted_empty),
      .nonposted_hdr_i             (up_nonposted_hdr),
      .nonposted_err_i             (up_nonposted_err),
      .completion_valid_o          (memory_completion_valid),
      .completion_ready_i          (memory_completion_ready),
      .completion_sop_o            (memory_completion_sop),
      .completion_eop_o            (memory_completion_eop),
      .completion_data_o           (memory_completion_data),
      .completion_empty_o          (memory_completion_empty),
      .completion_hdr_o            (memory_completion_hdr),
      .completion_prefix_o         (memory_completion_prefix),
      .completion_prefix_valid_o   (memory_completion_prefix_valid),
      .completion_err_o            (memory_completion_err),
      .tx_valid_o                  (memory_tx_valid_o),
      .tx_ready_i                  (memory_tx_ready_i),
      .tx_sop_o                    (memory_tx_sop_o),
      .tx_eop_o                    (memory_tx_eop_o),
      .tx_data_o                   (memory_tx_data_o),
      .tx_empty_o                  (memory_tx_empty_o),
      .tx_hdr_o                    (memory_tx_hdr_o),
      .tx_prefix_o                 (memory_tx_prefix_o),
      .tx_prefix_valid_o           (memory_tx_prefix_valid_o),
      .tx_err_o                    (memory_tx_err_o),
      .tx_credit_limit_i           (memory_tx_credit_limit_i),
      .tx_credit_infinite_i        (memory_tx_credit_infinite_i),
      .rx_valid_i                  (memory_rx_valid_i),
      .rx_ready_o                  (memory_rx_ready_o),
      .rx_sop_i                    (memory_rx_sop_i),
      .rx_eop_i                    (memory_rx_eop_i),
      .rx_data_i                   (memory_rx_data_i),
      .rx_empty_i                  (memory_rx_empty_i),
      .rx_hdr_i                    (memory_rx_hdr_i),
      .rx_prefix_i                 (memory_rx_prefix_i),
      .rx_prefix_valid_i           (memory_rx_prefix_valid_i),
      .rx_err_i                    (memory_rx_err_i),
      .rx_credit_limit_o           (memory_rx_credit_limit_o),
      .rx_credit_infinite_o        (memory_rx_credit_infinite_o),
      .stat_completion_unexpected_o(stat_memory_completion_unexpected_o)
  );

  root_cpu_port #(
      .DATA_W        (DATA_W),
      .HEADERS       (CPU_HEADERS),
      .DATA          (CPU_DATA),
      .HOST_BRIDGE_ID(CPU_ID),
      .ROOT_PORT_ID  (ROOT_PORT_ID)
  ) u_cpu_port (
      .clk_i                    (clk_i),
      .rst_i                    (rst_i),
      .link_up_i                (link_up_i),
      .rx_valid_i               (cpu_rx_valid_i),
      .rx_ready_o               (cpu_rx_ready_o),
      .rx_sop_i                 (cpu_rx_sop_i),
      .rx_eop_i                 (cpu_rx_eop_i),
      .rx_data_i                (cpu_rx_data_i),
      .rx_empty_i               (cpu_rx_empty_i),
      .rx_hdr_i                 (cpu_rx_hdr_i),
      .rx_prefix_i              (cpu_rx_prefix_i),
      .rx_prefix_valid_i        (cpu_rx_prefix_valid_i),
      .rx_err_i                 (cpu_rx_err_i),
      .rx_credit_limit_o        (cpu_rx_credit_limit_o),
      .rx_credit_infinite_o     (cpu_rx_credit_infinite_o),
      .tx_valid_o               (cpu_tx_valid_o),
      .tx_ready_i               (cpu_tx_ready_i),
      .tx_sop_o                 (cpu_tx_sop_o),
      .tx_eop_o                 (cpu_tx_eop_o),
      .tx_data_o                (cpu_tx_data_o),
      .tx_empty_o               (cpu_tx_empty_o),
      .tx_hdr_o                 (cpu_tx_hdr_o),
      .tx_prefix_o              (cpu_tx_prefix_o),
      .tx_prefix_valid_o        (cpu_tx_prefix_valid_o),
      .tx_err_o                 (cpu_tx_err_o),
      .tx_credit_limit_i        (cpu_tx_credit_limit_i),
      .tx_credit_infinite_i     (cpu_tx_credit_infinite_i),
      .posted_valid_o           (cpu_posted_valid),
      .posted_ready_i           (cpu_posted_ready),
      .posted_sop_o             (cpu_posted_sop),
      .posted_eop_o             (cpu_posted_eop),
      .posted_data_o            (cpu_posted_data),
      .posted_empty_o           (cpu_posted_empty),
      .posted_hdr_o             (cpu_posted_hdr),
      .posted_prefix_o          (cpu_posted_prefix),
      .posted_prefix_valid_o    (cpu_posted_prefix_valid),
      .posted_err_o             (cpu_posted_err),
      .nonposted_valid_o        (cpu_nonposted_valid),
      .nonposted_ready_i        (cpu_nonposted_ready),
      .nonposted_sop_o          (cpu_nonposted_sop),
      .nonposted_eop_o          (cpu_nonposted_eop),
      .nonposted_data_o         (cpu_nonposted_data),
      .nonposted_empty_o        (cpu_nonposted_empty),
      .nonposted_hdr_o          (cpu_nonposted_hdr),
      .nonposted_prefix_o       (cpu_nonposted_prefix),
      .nonposted_prefix_valid_o (cpu_nonposted_prefix_valid),
      .nonposted_err_o          (cpu_nonposted_err),
      .completion_valid_i       (device_completion_valid),
      .completion_ready_o       (device_completion_ready),
      .completion_sop_i         (up_completion_sop),
      .completion_eop_i         (up_completion_eop),
      .completion_data_i        (up_completion_data),
      .completion_empty_i       (up_completion_empty),
      .completion_hdr_i         (up_completion_hdr),
      .completion_prefix_i      (up_completion_prefix),
      .completion_prefix_valid_i(up_completion_prefix_valid),
      .completion_err_i         (up_completion_err),
      .secondary_bus_o          (secondary_bus),
      .subordinate_bus_o        (subordinate_bus),
      .memory_enable_o          (memory_enable),
      .memory_base_o            (memory_base),
      .memory_limit_o           (memory_limit),
      .prefetchable_base_o      (prefetchable_base),
      .prefetchable_limit_o     (prefetchable_limit),
      .bus_master_enable_o      (bus_master_enable),
      .unsupported_i            (up_unsupported),
      .stat_posted_refused_o    (stat_cpu_posted_refused_o)
  );

  root_message_source #(
      .DATA_W      (DATA_W),
      .ROOT_PORT_ID(ROOT_PORT_ID)
  ) u_messages (
      .secondary_bus_i       (secondary_bus),
      .subordinate_bus_i     (subordinate_bus),
      .message_valid_i       (message_valid),
      .message_ready_o       (message_ready),
      .message_invalidate_i  (message_invalidate),
      .message_dsv_i         (message_dsv),
      .message_dseg_i        (message_dseg),
      .message_rid_i         (message_rid),
      .message_pv_i          (message_pv),
      .message_pid_i         (message_pid),
      .message_itag_i        (message_itag),
      .message_payload_i     (message_payload),
      .posted_valid_o        (message_posted_valid),
      .posted_ready_i        (message_posted_ready),
      .posted_sop_o          (message_posted_sop),
      .posted_eop_o          (message_posted_eop),
      .posted_data_o         (message_posted_data),
      .posted_empty_o        (message_posted_empty),
      .posted_hdr_o          (message_posted_hdr),
      .posted_prefix_o       (message_posted_prefix),
      .posted_prefix_valid_o (message_posted_prefix_valid),
      .stat_message_dropped_o(stat_message_dropped_o)
  );

  // Down: looped traffic of the devices, CPU requests, memory completions, refusals and messages of the IOMMU.
  wire [3:0] unused_down_ready;

  tlp_transmit_arbiter #(
      .DATA_W (DATA_W),
      .SOURCES(4)
  ) u_down_transmit (
      .clk_i               (clk_i),
      .rst_i               (rst_i),
      .link_up_i           (link_up_i),
      .in_valid_i          ({
          answer_valid, 1'b0, message_posted_valid,
          memory_completion_valid, 2'b00,
          1'b0, cpu_nonposted_valid, cpu_posted_valid,
          loop_completion_valid, loop_nonposted_valid, loop_posted_valid
      }),
      .in_ready_o          ({
          answer_ready, unused_down_ready[3], message_posted_ready,
          memory_completion_ready, unused_down_ready[2:1],
          unused_down_ready[0], cpu_nonposted_ready, cpu_posted_ready,
          loop_completion_ready, loop_nonposted_ready, loop_posted_ready
      }),
      .in_sop_i            ({
          answer_sop, 1'b0, message_posted_sop,
          memory_completion_sop, 2'b00,
          1'b0, cpu_nonposted_sop, cpu_posted_sop,
          up_completion_sop, up_nonposted_sop, up_posted_sop
      }),
      .in_eop_i            ({
          answer_eop, 1'b0, message_posted_eop,
          memory_completion_eop, 2'b00,
          1'b0, cpu_nonposted_eop, cpu_posted_eop,
          up_completion_eop, up_nonposted_eop, up_posted_eop
      }),
      .in_data_i           ({
          answer_data, {DATA_W{1'b0}}, message_posted_data,
          memory_completion_data, {2 * DATA_W{1'b0}},
          {DATA_W{1'b0}}, cpu_nonposted_data, cpu_posted_data,
          up_completion_data, up_nonposted_data, up_posted_data
      }),
      .in_empty_i          ({
          answer_empty, {EMPTY_W{1'b0}}, message_posted_empty,
          memory_completion_empty, {2 * EMPTY_W{1'b0}},
          {EMPTY_W{1'b0}}, cpu_nonposted_empty, cpu_posted_empty,
          up_completion_empty, up_nonposted_empty, up_posted_empty
      }),
      .in_hdr_i            ({
          answer_hdr, 128'd0, message_posted_hdr,
          memory_completion_hdr, 256'd0,
          128'd0, cpu_nonposted_hdr, cpu_posted_hdr,
          up_completion_hdr, up_nonposted_hdr, up_posted_hdr
      }),
      .in_prefix_i         ({
          answer_prefix, 32'd0, message_posted_prefix,
          memory_completion_prefix, 64'd0,
          32'd0, cpu_nonposted_prefix, cpu_posted_prefix,
          up_completion_prefix, 32'd0, up_posted_prefix
      }),
      .in_prefix_valid_i   ({
          answer_prefix_valid, 1'b0, message_posted_prefix_valid,
          memory_completion_prefix_valid, 2'b00,
          1'b0, cpu_nonposted_prefix_valid, cpu_posted_prefix_valid,
          up_completion_prefix_valid, 1'b0, up_posted_prefix_valid
      }),
      .in_err_i            ({
          answer_err, 2'b00,
          memory_completion_err, 2'b00,
          1'b0, cpu_nonposted_err, cpu_posted_err,
          up_completion_err, up_nonposted_err, up_posted_err
      }),
      .tx_valid_o          (down_tx_valid_o),
      .tx_ready_i          (down_tx_ready_i),
      .tx_sop_o            (down_tx_sop_o),
      .tx_eop_o            (down_tx_eop_o),
      .tx_data_o           (down_tx_data_o),
      .tx_empty_o          (down_tx_empty_o),
      .tx_hdr_o            (down_tx_hdr_o),
      .tx_prefix_o         (down_tx_prefix_o),
      .tx_prefix_valid_o   (down_tx_prefix_valid_o),
      .tx_err_o            (down_tx_err_o),
      .tx_credit_limit_i   (down_tx_credit_limit_i),
      .tx_credit_infinite_i(down_tx_credit_infinite_i)
  );

  assign delivered_hdr = down_tx_sop_o ? down_tx_hdr_o : delivered_hdr_q;
  assign delivered = down_tx_valid_o && down_tx_ready_i && down_tx_eop_o && !down_tx_err_o &&
      tlp_pkg::tlp_class(delivered_hdr[127:120]) == tlp_pkg::CLASS_COMPLETION;

  always_ff @(posedge clk_i) delivered_hdr_q <= delivered_hdr;

endmodule
`default_nettype wire
