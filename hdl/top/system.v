`default_nettype none
// The whole machine but host memory and CPU: root complex with IOMMU, switch, two endpoints. Every link between them is a set of
// named nets (`<link>_valid` ... `<link>_credit_infinite`; docs/interfaces.md section 1), so that monitors can watch them from outside:
//
//   endpoint0_up, endpoint0_down, endpoint1_up, endpoint1_down   between endpoint and switch
//   switch_up, switch_down                                       between switch and root port
//
// Ports are those of `root_complex` without `down_`, and the straps of the endpoints.
module system #(
    // Bits of a beat: 128, 256 or 512.
    parameter int DATA_W = 256,
    // Translations of device requests in flight, a power of two.
    parameter int TRANSLATIONS = 32,
    // Reads in flight of each endpoint: of its DMA engine, beside 16 of its descriptor fetcher; operations in flight, a power of two.
    parameter int TAGS = 64,
    parameter int OPERATIONS = 128,
    // Room for non-posted requests on each link of the switch and at each endpoint, as credits (1..127).
    parameter int NONPOSTED_HEADERS = 32,
    // Bits of the ids of the IOMMU's memory port.
    parameter int MEM_ID_W = 8,
    // Regions that the memory link serves (sluicegate.platform.AddressMap), multiples of 4 KiB.
    parameter [63:0] LOW_RAM_BASE = 64'h8000_0000,
    parameter [63:0] LOW_RAM_SIZE = 64'h0400_0000,
    parameter [63:0] HIGH_RAM_BASE = 64'h10_0000_0000,
    parameter [63:0] HIGH_RAM_SIZE = 64'h0400_0000,
    parameter [63:0] IMSIC_BASE = 64'h2800_0000,
    parameter [63:0] IMSIC_SIZE = 64'h1000,
    // Derived: bits of `empty`.
    parameter int EMPTY_W = $clog2(DATA_W / 32)
) (
    input  wire                clk_i,
    input  wire                rst_i,

    // All links are up; static features of the IOMMU (its capabilities register).
    input  wire                link_up_i,
    input  wire [63:0]         capabilities_i,

    // Static features of the endpoints (pcie_endpoint).
    input  wire [4:0]          endpoint0_straps_i,
    input  wire [4:0]          endpoint1_straps_i,

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

  wire               endpoint0_up_valid, endpoint0_up_ready, endpoint0_up_sop, endpoint0_up_eop, endpoint0_up_prefix_valid,
                     endpoint0_up_err;
  wire [DATA_W-1:0]  endpoint0_up_data;
  wire [EMPTY_W-1:0] endpoint0_up_empty;
  wire [127:0]       endpoint0_up_hdr;
  wire [31:0]        endpoint0_up_prefix;
  wire [59:0]        endpoint0_up_credit_limit;
  wire [5:0]         endpoint0_up_credit_infinite;

  wire               endpoint0_down_valid, endpoint0_down_ready, endpoint0_down_sop, endpoint0_down_eop, endpoint0_down_prefix_valid,
                     endpoint0_down_err;
  wire [DATA_W-1:0]  endpoint0_down_data;
  wire [EMPTY_W-1:0] endpoint0_down_empty;
  wire [127:0]       endpoint0_down_hdr;
  wire [31:0]        endpoint0_down_prefix;
  wire [59:0]        endpoint0_down_credit_limit;
  wire [5:0]         endpoint0_down_credit_infinite;

  wire               endpoint1_up_valid, endpoint1_up_ready, endpoint1_up_sop, endpoint1_up_eop, endpoint1_up_prefix_valid,
                     endpoint1_up_err;
  wire [DATA_W-1:0]  endpoint1_up_data;
  wire [EMPTY_W-1:0] endpoint1_up_empty;
  wire [127:0]       endpoint1_up_hdr;
  wire [31:0]        endpoint1_up_prefix;
  wire [59:0]        endpoint1_up_credit_limit;
  wire [5:0]         endpoint1_up_credit_infinite;

  wire               endpoint1_down_valid, endpoint1_down_ready, endpoint1_down_sop, endpoint1_down_eop, endpoint1_down_prefix_valid,
                     endpoint1_down_err;
  wire [DATA_W-1:0]  endpoint1_down_data;
  wire [EMPTY_W-1:0] endpoint1_down_empty;
  wire [127:0]       endpoint1_down_hdr;
  wire [31:0]        endpoint1_down_prefix;
  wire [59:0]        endpoint1_down_credit_limit;
  wire [5:0]         endpoint1_down_credit_infinite;

  wire               switch_up_valid, switch_up_ready, switch_up_sop, switch_up_eop, switch_up_prefix_valid, switch_up_err;
  wire [DATA_W-1:0]  switch_up_data;
  wire [EMPTY_W-1:0] switch_up_empty;
  wire [127:0]       switch_up_hdr;
  wire [31:0]        switch_up_prefix;
  wire [59:0]        switch_up_credit_limit;
  wire [5:0]         switch_up_credit_infinite;

  wire               switch_down_valid, switch_down_ready, switch_down_sop, switch_down_eop, switch_down_prefix_valid, switch_down_err;
  wire [DATA_W-1:0]  switch_down_data;
  wire [EMPTY_W-1:0] switch_down_empty;
  wire [127:0]       switch_down_hdr;
  wire [31:0]        switch_down_prefix;
  wire [59:0]        switch_down_credit_limit;
  wire [5:0]         switch_down_credit_infinite;

  root_complex #(
      .DATA_W       (DATA_W),
      .TRANSLATIONS (TRANSLATIONS),
      .MEM_ID_W     (MEM_ID_W),
      .LOW_RAM_BASE (LOW_RAM_BASE),
      .LOW_RAM_SIZE (LOW_RAM_SIZE),
      .HIGH_RAM_BASE(HIGH_RAM_BASE),
      .HIGH_RAM_SIZE(HIGH_RAM_SIZE),
      .IMSIC_BASE   (IMSIC_BASE),
      .IMSIC_SIZE   (IMSIC_SIZE)
  ) u_root_complex (
      .clk_i                                (clk_i),
      .rst_i                                (rst_i),
      .link_up_i                            (link_up_i),
      .capabilities_i                       (capabilities_i),
      .down_rx_valid_i                      (switch_up_valid),
      .down_rx_ready_o                      (switch_up_ready),
      .down_rx_sop_i                        (switch_up_sop),
      .down_rx_eop_i                        (switch_up_eop),
      .down_rx_data_i                       (switch_up_data),
      .down_rx_empty_i                      (switch_up_empty),
      .down_rx_hdr_i                        (switch_up_hdr),
      .down_rx_prefix_i                     (switch_up_prefix),
      .down_rx_prefix_valid_i               (switch_up_prefix_valid),
      .down_rx_err_i                        (switch_up_err),
      .down_rx_credit_limit_o               (switch_up_credit_limit),
      .down_rx_credit_infinite_o            (switch_up_credit_infinite),
      .down_tx_valid_o                      (switch_down_valid),
      .down_tx_ready_i                      (switch_down_ready),
      .down_tx_sop_o                        (switch_down_sop),
      .down_tx_eop_o                        (switch_down_eop),
      .down_tx_data_o                       (switch_down_data),
      .down_tx_empty_o                      (switch_down_empty),
      .down_tx_hdr_o                        (switch_down_hdr),
      .down_tx_prefix_o                     (switch_down_prefix),
      .down_tx_prefix_valid_o               (switch_down_prefix_valid),
      .down_tx_err_o                        (switch_down_err),
      .down_tx_credit_limit_i               (switch_down_credit_limit),
      .down_tx_credit_infinite_i            (switch_down_credit_infinite),
      .memory_tx_valid_o                    (memory_tx_valid_o),
      .memory_tx_ready_i                    (memory_tx_ready_i),
      .memory_tx_sop_o                      (memory_tx_sop_o),
      .memory_tx_eop_o                      (memory_tx_eop_o),
      .memory_tx_data_o                     (memory_tx_data_o),
      .memory_tx_empty_o                    (memory_tx_empty_o),
      .memory_tx_hdr_o                      (memory_tx_hdr_o),
      .memory_tx_prefix_o                   (memory_tx_prefix_o),
      .memory_tx_prefix_valid_o             (memory_tx_prefix_valid_o),
      .memory_tx_err_o                      (memory_tx_err_o),
      .memory_tx_credit_limit_i             (memory_tx_credit_limit_i),
      .memory_tx_credit_infinite_i          (memory_tx_credit_infinite_i),
      .memory_rx_valid_i                    (memory_rx_valid_i),
      .memory_rx_ready_o                    (memory_rx_ready_o),
      .memory_rx_sop_i                      (memory_rx_sop_i),
      .memory_rx_eop_i                      (memory_rx_eop_i),
      .memory_rx_data_i                     (memory_rx_data_i),
      .memory_rx_empty_i                    (memory_rx_empty_i),
      .memory_rx_hdr_i                      (memory_rx_hdr_i),
      .memory_rx_prefix_i                   (memory_rx_prefix_i),
      .memory_rx_prefix_valid_i             (memory_rx_prefix_valid_i),
      .memory_rx_err_i                      (memory_rx_err_i),
      .memory_rx_credit_limit_o             (memory_rx_credit_limit_o),
      .memory_rx_credit_infinite_o          (memory_rx_credit_infinite_o),
      .cpu_rx_valid_i                       (cpu_rx_valid_i),
      .cpu_rx_ready_o                       (cpu_rx_ready_o),
      .cpu_rx_sop_i                         (cpu_rx_sop_i),
      .cpu_rx_eop_i                         (cpu_rx_eop_i),
      .cpu_rx_data_i                        (cpu_rx_data_i),
      .cpu_rx_empty_i                       (cpu_rx_empty_i),
      .cpu_rx_hdr_i                         (cpu_rx_hdr_i),
      .cpu_rx_prefix_i                      (cpu_rx_prefix_i),
      .cpu_rx_prefix_valid_i                (cpu_rx_prefix_valid_i),
      .cpu_rx_err_i                         (cpu_rx_err_i),
      .cpu_rx_credit_limit_o                (cpu_rx_credit_limit_o),
      .cpu_rx_credit_infinite_o             (cpu_rx_credit_infinite_o),
      .cpu_tx_valid_o                       (cpu_tx_valid_o),
      .cpu_tx_ready_i                       (cpu_tx_ready_i),
      .cpu_tx_sop_o                         (cpu_tx_sop_o),
      .cpu_tx_eop_o                         (cpu_tx_eop_o),
      .cpu_tx_data_o                        (cpu_tx_data_o),
      .cpu_tx_empty_o                       (cpu_tx_empty_o),
      .cpu_tx_hdr_o                         (cpu_tx_hdr_o),
      .cpu_tx_prefix_o                      (cpu_tx_prefix_o),
      .cpu_tx_prefix_valid_o                (cpu_tx_prefix_valid_o),
      .cpu_tx_err_o                         (cpu_tx_err_o),
      .cpu_tx_credit_limit_i                (cpu_tx_credit_limit_i),
      .cpu_tx_credit_infinite_i             (cpu_tx_credit_infinite_i),
      .iommu_mem_req_valid_o                (iommu_mem_req_valid_o),
      .iommu_mem_req_ready_i                (iommu_mem_req_ready_i),
      .iommu_mem_req_id_o                   (iommu_mem_req_id_o),
      .iommu_mem_req_op_o                   (iommu_mem_req_op_o),
      .iommu_mem_req_addr_o                 (iommu_mem_req_addr_o),
      .iommu_mem_req_size_o                 (iommu_mem_req_size_o),
      .iommu_mem_req_wdata_o                (iommu_mem_req_wdata_o),
      .iommu_mem_req_strobe_o               (iommu_mem_req_strobe_o),
      .iommu_mem_req_qos_o                  (iommu_mem_req_qos_o),
      .iommu_mem_req_pbmt_o                 (iommu_mem_req_pbmt_o),
      .iommu_mem_rsp_valid_i                (iommu_mem_rsp_valid_i),
      .iommu_mem_rsp_ready_o                (iommu_mem_rsp_ready_o),
      .iommu_mem_rsp_id_i                   (iommu_mem_rsp_id_i),
      .iommu_mem_rsp_data_i                 (iommu_mem_rsp_data_i),
      .iommu_mem_rsp_err_i                  (iommu_mem_rsp_err_i),
      .iommu_mem_rsp_poison_i               (iommu_mem_rsp_poison_i),
      .iommu_reg_valid_i                    (iommu_reg_valid_i),
      .iommu_reg_write_i                    (iommu_reg_write_i),
      .iommu_reg_address_i                  (iommu_reg_address_i),
      .iommu_reg_wdata_i                    (iommu_reg_wdata_i),
      .iommu_reg_strobe_i                   (iommu_reg_strobe_i),
      .iommu_reg_ready_o                    (iommu_reg_ready_o),
      .iommu_reg_rdata_o                    (iommu_reg_rdata_o),
      .iommu_wire_o                         (iommu_wire_o),
      .event_command_o                      (event_command_o),
      .event_command_w0_o                   (event_command_w0_o),
      .event_command_w1_o                   (event_command_w1_o),
      .event_fault_o                        (event_fault_o),
      .event_message_o                      (event_message_o),
      .event_message_hdr_o                  (event_message_hdr_o),
      .stat_l1_hit_o                        (stat_l1_hit_o),
      .stat_l2_hit_o                        (stat_l2_hit_o),
      .stat_miss_o                          (stat_miss_o),
      .stat_walk_start_o                    (stat_walk_start_o),
      .stat_walk_end_o                      (stat_walk_end_o),
      .stat_posted_dropped_o                (stat_posted_dropped_o),
      .stat_nonposted_refused_o             (stat_nonposted_refused_o),
      .stat_read_lost_o                     (stat_read_lost_o),
      .stat_xlate_stall_o                   (stat_xlate_stall_o),
      .stat_upstream_posted_refused_o       (stat_upstream_posted_refused_o),
      .stat_upstream_completion_unexpected_o(stat_upstream_completion_unexpected_o),
      .stat_cpu_posted_refused_o            (stat_cpu_posted_refused_o),
      .stat_memory_completion_unexpected_o  (stat_memory_completion_unexpected_o),
      .stat_invalidate_unexpected_o         (stat_invalidate_unexpected_o),
      .stat_invalidate_timeout_o            (stat_invalidate_timeout_o),
      .stat_message_dropped_o               (stat_message_dropped_o)
  );

  // Port 0 is the upstream port, lowest in every vector.
  wire [8:0] unused_switch_forwarded, unused_switch_redirected, unused_switch_direct_peer, unused_switch_unsupported,
             unused_switch_acs_violation;

  pcie_switch #(
      .DATA_W           (DATA_W),
      .NONPOSTED_HEADERS(NONPOSTED_HEADERS),
      .DOWNSTREAM_PORTS (2)
  ) u_switch (
      .clk_i               (clk_i),
      .rst_i               (rst_i),
      .link_up_i           ({3{link_up_i}}),
      .rx_valid_i          ({endpoint1_up_valid, endpoint0_up_valid, switch_down_valid}),
      .rx_ready_o          ({endpoint1_up_ready, endpoint0_up_ready, switch_down_ready}),
      .rx_sop_i            ({endpoint1_up_sop, endpoint0_up_sop, switch_down_sop}),
      .rx_eop_i            ({endpoint1_up_eop, endpoint0_up_eop, switch_down_eop}),
      .rx_data_i           ({endpoint1_up_data, endpoint0_up_data, switch_down_data}),
      .rx_empty_i          ({endpoint1_up_empty, endpoint0_up_empty, switch_down_empty}),
      .rx_hdr_i            ({endpoint1_up_hdr, endpoint0_up_hdr, switch_down_hdr}),
      .rx_prefix_i         ({endpoint1_up_prefix, endpoint0_up_prefix, switch_down_prefix}),
      .rx_prefix_valid_i   ({endpoint1_up_prefix_valid, endpoint0_up_prefix_valid, switch_down_prefix_valid}),
      .rx_err_i            ({endpoint1_up_err, endpoint0_up_err, switch_down_err}),
      .rx_credit_limit_o   ({endpoint1_up_credit_limit, endpoint0_up_credit_limit, switch_down_credit_limit}),
      .rx_credit_infinite_o({endpoint1_up_credit_infinite, endpoint0_up_credit_infinite, switch_down_credit_infinite}),
      .tx_valid_o          ({endpoint1_down_valid, endpoint0_down_valid, switch_up_valid}),
      .tx_ready_i          ({endpoint1_down_ready, endpoint0_down_ready, switch_up_ready}),
      .tx_sop_o            ({endpoint1_down_sop, endpoint0_down_sop, switch_up_sop}),
      .tx_eop_o            ({endpoint1_down_eop, endpoint0_down_eop, switch_up_eop}),
      .tx_data_o           ({endpoint1_down_data, endpoint0_down_data, switch_up_data}),
      .tx_empty_o          ({endpoint1_down_empty, endpoint0_down_empty, switch_up_empty}),
      .tx_hdr_o            ({endpoint1_down_hdr, endpoint0_down_hdr, switch_up_hdr}),
      .tx_prefix_o         ({endpoint1_down_prefix, endpoint0_down_prefix, switch_up_prefix}),
      .tx_prefix_valid_o   ({endpoint1_down_prefix_valid, endpoint0_down_prefix_valid, switch_up_prefix_valid}),
      .tx_err_o            ({endpoint1_down_err, endpoint0_down_err, switch_up_err}),
      .tx_credit_limit_i   ({endpoint1_down_credit_limit, endpoint0_down_credit_limit, switch_up_credit_limit}),
      .tx_credit_infinite_i({endpoint1_down_credit_infinite, endpoint0_down_credit_infinite, switch_up_credit_infinite}),
      .stat_forwarded_o    (unused_switch_forwarded),
      .stat_redirected_o   (unused_switch_redirected),
      .stat_direct_peer_o  (unused_switch_direct_peer),
      .stat_unsupported_o  (unused_switch_unsupported),
      .stat_acs_violation_o(unused_switch_acs_violation)
  );

  pcie_endpoint #(
      .DATA_W           (DATA_W),
      .TAGS             (TAGS),
      .OPERATIONS       (OPERATIONS),
      .NONPOSTED_HEADERS(NONPOSTED_HEADERS)
  ) u_endpoint0 (
      .clk_i               (clk_i),
      .rst_i               (rst_i),
      .link_up_i           (link_up_i),
      .straps_i            (endpoint0_straps_i),
      .rx_valid_i          (endpoint0_down_valid),
      .rx_ready_o          (endpoint0_down_ready),
      .rx_sop_i            (endpoint0_down_sop),
      .rx_eop_i            (endpoint0_down_eop),
      .rx_data_i           (endpoint0_down_data),
      .rx_empty_i          (endpoint0_down_empty),
      .rx_hdr_i            (endpoint0_down_hdr),
      .rx_prefix_i         (endpoint0_down_prefix),
      .rx_prefix_valid_i   (endpoint0_down_prefix_valid),
      .rx_err_i            (endpoint0_down_err),
      .rx_credit_limit_o   (endpoint0_down_credit_limit),
      .rx_credit_infinite_o(endpoint0_down_credit_infinite),
      .tx_valid_o          (endpoint0_up_valid),
      .tx_ready_i          (endpoint0_up_ready),
      .tx_sop_o            (endpoint0_up_sop),
      .tx_eop_o            (endpoint0_up_eop),
      .tx_data_o           (endpoint0_up_data),
      .tx_empty_o          (endpoint0_up_empty),
      .tx_hdr_o            (endpoint0_up_hdr),
      .tx_prefix_o         (endpoint0_up_prefix),
      .tx_prefix_valid_o   (endpoint0_up_prefix_valid),
      .tx_err_o            (endpoint0_up_err),
      .tx_credit_limit_i   (endpoint0_up_credit_limit),
      .tx_credit_infinite_i(endpoint0_up_credit_infinite)
  );

  pcie_endpoint #(
      .DATA_W           (DATA_W),
      .TAGS             (TAGS),
      .OPERATIONS       (OPERATIONS),
      .NONPOSTED_HEADERS(NONPOSTED_HEADERS)
  ) u_endpoint1 (
      .clk_i               (clk_i),
      .rst_i               (rst_i),
      .link_up_i           (link_up_i),
      .straps_i            (endpoint1_straps_i),
      .rx_valid_i          (endpoint1_down_valid),
      .rx_ready_o          (endpoint1_down_ready),
      .rx_sop_i            (endpoint1_down_sop),
      .rx_eop_i            (endpoint1_down_eop),
      .rx_data_i           (endpoint1_down_data),
      .rx_empty_i          (endpoint1_down_empty),
      .rx_hdr_i            (endpoint1_down_hdr),
      .rx_prefix_i         (endpoint1_down_prefix),
      .rx_prefix_valid_i   (endpoint1_down_prefix_valid),
      .rx_err_i            (endpoint1_down_err),
      .rx_credit_limit_o   (endpoint1_down_credit_limit),
      .rx_credit_infinite_o(endpoint1_down_credit_infinite),
      .tx_valid_o          (endpoint1_up_valid),
      .tx_ready_i          (endpoint1_up_ready),
      .tx_sop_o            (endpoint1_up_sop),
      .tx_eop_o            (endpoint1_up_eop),
      .tx_data_o           (endpoint1_up_data),
      .tx_empty_o          (endpoint1_up_empty),
      .tx_hdr_o            (endpoint1_up_hdr),
      .tx_prefix_o         (endpoint1_up_prefix),
      .tx_prefix_valid_o   (endpoint1_up_prefix_valid),
      .tx_err_o            (endpoint1_up_err),
      .tx_credit_limit_i   (endpoint1_up_credit_limit),
      .tx_credit_infinite_i(endpoint1_up_credit_infinite)
  );

endmodule
`default_nettype wire
