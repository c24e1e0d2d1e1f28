`default_nettype none
// PCIe switch: upstream port 0 and downstream ports 1..N, each a TLP link pair with credits and a type-1 configuration header;
// ACS per downstream port. Routes by address, ID and message type; peer-to-peer traffic goes directly from port to port unless
// ACS redirects it; nothing is split or merged. Non-posted requests that nothing claims end with UR, ACS violations with CA, both
// answered here; posted ones are dropped and recorded. Cut-through: latency 2 cycles from a free input to a free output,
// one beat per cycle and port.
module pcie_switch #(
    // Downstream ports, 1..31.
    parameter int DOWNSTREAM_PORTS = 2,
    // Payload width of a beat: 128, 256 or 512.
    parameter int DATA_W = 512,
    // Room per ingress port and class in header and data credits (tlp_receive_buffer.v).
    parameter int POSTED_HEADERS = 32,
    parameter int POSTED_DATA = 256,
    parameter int NONPOSTED_HEADERS = 32,
    parameter int NONPOSTED_DATA = 32,
    parameter int COMPLETION_HEADERS = 32,
    parameter int COMPLETION_DATA = 256,
    // IDs of the functions.
    parameter [15:0] VENDOR_ID = 16'h1234,
    parameter [15:0] UPSTREAM_DEVICE_ID = 16'h5355,
    parameter [15:0] DOWNSTREAM_DEVICE_ID = 16'h5344,
    // Derived: ports; bits of `empty`.
    parameter int PORTS = DOWNSTREAM_PORTS + 1,
    parameter int EMPTY_W = $clog2(DATA_W / 32)
) (
    input  wire                        clk_i,
    input  wire                        rst_i,

    // Link state of each port, port 0 (upstream) lowest; so in all vectors.
    input  wire [PORTS-1:0]            link_up_i,

    // TLP links in.
    input  wire [PORTS-1:0]            rx_valid_i,
    output wire [PORTS-1:0]            rx_ready_o,
    input  wire [PORTS-1:0]            rx_sop_i,
    input  wire [PORTS-1:0]            rx_eop_i,
    input  wire [PORTS*DATA_W-1:0]     rx_data_i,
    input  wire [PORTS*EMPTY_W-1:0]    rx_empty_i,
    input  wire [PORTS*128-1:0]        rx_hdr_i,
    input  wire [PORTS*32-1:0]         rx_prefix_i,
    input  wire [PORTS-1:0]            rx_prefix_valid_i,
    input  wire [PORTS-1:0]            rx_err_i,
    output wire [PORTS*60-1:0]         rx_credit_limit_o,
    output wire [PORTS*6-1:0]          rx_credit_infinite_o,

    // TLP links out.
    output wire [PORTS-1:0]            tx_valid_o,
    input  wire [PORTS-1:0]            tx_ready_i,
    output wire [PORTS-1:0]            tx_sop_o,
    output wire [PORTS-1:0]            tx_eop_o,
    output wire [PORTS*DATA_W-1:0]     tx_data_o,
    output wire [PORTS*EMPTY_W-1:0]    tx_empty_o,
    output wire [PORTS*128-1:0]        tx_hdr_o,
    output wire [PORTS*32-1:0]         tx_prefix_o,
    output wire [PORTS-1:0]            tx_prefix_valid_o,
    output wire [PORTS-1:0]            tx_err_o,
    input  wire [PORTS*60-1:0]         tx_credit_limit_i,
    input  wire [PORTS*6-1:0]          tx_credit_infinite_i,

    // Statistics strobes, index ingress*3 + class (0 posted, 1 non-posted, 2 completion), at the last beat of a TLP that is not
    // nullified: forwarded (also when redirected or direct), sent up although claimed below, sent to a sibling, ended as
    // unsupported request or unexpected completion, ended as ACS violation.
    output wire [PORTS*3-1:0]          stat_forwarded_o,
    output wire [PORTS*3-1:0]          stat_redirected_o,
    output wire [PORTS*3-1:0]          stat_direct_peer_o,
    output wire [PORTS*3-1:0]          stat_unsupported_o,
    output wire [PORTS*3-1:0]          stat_acs_violation_o
);

  localparam int STREAMS = PORTS * 3;

  // Configuration of the ports.
  logic [PORTS-1:0]       memory_enable, bus_master_enable, atomic_egress_block;
  logic [PORTS*12-1:0]    memory_base, memory_limit;
  logic [PORTS*44-1:0]    prefetchable_base, prefetchable_limit;
  logic [PORTS*8-1:0]     secondary_bus, subordinate_bus;
  logic [PORTS*16-1:0]    id;
  logic [PORTS*7-1:0]     acs_control;
  logic [PORTS*PORTS-1:0] acs_vector;
  logic [PORTS-1:0]       set_correctable, set_nonfatal, set_unsupported, set_target_abort;

  // Configuration access of each ingress; only port 0 makes any.
  logic [PORTS*PORTS-1:0] cfg_function;
  logic [PORTS-1:0]       cfg_valid, cfg_write;
  logic [PORTS*10-1:0]    cfg_register;
  logic [PORTS*4-1:0]     cfg_enables;
  logic [PORTS*32-1:0]    cfg_wdata;
  logic [PORTS*16-1:0]    cfg_target;
  logic [31:0]            cfg_rdata;
  wire unused_cfg = &{1'b0, cfg_function, cfg_valid, cfg_write, cfg_register, cfg_enables, cfg_wdata, cfg_target};

  // Streams of all ingress ports, index ingress*3 + class; handshakes per ingress as {class, egress}, per egress as {ingress, class}.
  logic [STREAMS*PORTS-1:0]   ingress_valid, ingress_ready, egress_valid, egress_ready;
  logic [STREAMS-1:0]         sop, eop, prefix_valid, err;
  logic [STREAMS*DATA_W-1:0]  data;
  logic [STREAMS*EMPTY_W-1:0] empty;
  logic [STREAMS*128-1:0]     hdr;
  logic [STREAMS*32-1:0]      prefix;

  // Completions made for requests of each port.
  logic [PORTS-1:0]         completion_valid, completion_ready;
  logic [PORTS*DATA_W-1:0]  completion_data;
  logic [PORTS*EMPTY_W-1:0] completion_empty;
  logic [PORTS*128-1:0]     completion_hdr;

  switch_port_config #(
      .PORTS               (PORTS),
      .VENDOR_ID           (VENDOR_ID),
      .UPSTREAM_DEVICE_ID  (UPSTREAM_DEVICE_ID),
      .DOWNSTREAM_DEVICE_ID(DOWNSTREAM_DEVICE_ID)
  ) u_port_config (
      .clk_i                (clk_i),
      .rst_i                (rst_i),
      .cfg_function_i       (cfg_function[PORTS-1:0]),
      .cfg_valid_i          (cfg_valid[0]),
      .cfg_write_i          (cfg_write[0]),
      .cfg_register_i       (cfg_register[9:0]),
      .cfg_enables_i        (cfg_enables[3:0]),
      .cfg_wdata_i          (cfg_wdata[31:0]),
      .cfg_target_i         (cfg_target[15:0]),
      .cfg_rdata_o          (cfg_rdata),
      .link_up_i            (link_up_i),
      .set_correctable_i    (set_correctable),
      .set_nonfatal_i       (set_nonfatal),
      .set_unsupported_i    (set_unsupported),
      .set_target_abort_i   (set_target_abort),
      .memory_enable_o      (memory_enable),
      .bus_master_enable_o  (bus_master_enable),
      .atomic_egress_block_o(atomic_egress_block),
      .memory_base_o        (memory_base),
      .memory_limit_o       (memory_limit),
      .prefetchable_base_o  (prefetchable_base),
      .prefetchable_limit_o (prefetchable_limit),
      .secondary_bus_o      (secondary_bus),
      .subordinate_bus_o    (subordinate_bus),
      .id_o                 (id),
      .acs_control_o        (acs_control),
      .acs_vector_o         (acs_vector)
  );

  generate
    for (genvar p = 0; p < PORTS; p++) begin : g_port
      switch_ingress #(
          .PORTS             (PORTS),
          .INGRESS           (p),
          .DATA_W            (DATA_W),
          .POSTED_HEADERS     (POSTED_HEADERS),
          .POSTED_DATA        (POSTED_DATA),
          .NONPOSTED_HEADERS  (NONPOSTED_HEADERS),
          .NONPOSTED_DATA     (NONPOSTED_DATA),
          .COMPLETION_HEADERS (COMPLETION_HEADERS),
          .COMPLETION_DATA    (COMPLETION_DATA)
      ) u_ingress (
          .clk_i                  (clk_i),
          .rst_i                  (rst_i),
          .rx_valid_i             (rx_valid_i[p]),
          .rx_ready_o             (rx_ready_o[p]),
          .rx_sop_i               (rx_sop_i[p]),
          .rx_eop_i               (rx_eop_i[p]),
          .rx_data_i              (rx_data_i[p*DATA_W+:DATA_W]),
          .rx_empty_i             (rx_empty_i[p*EMPTY_W+:EMPTY_W]),
          .rx_hdr_i               (rx_hdr_i[p*128+:128]),
          .rx_prefix_i            (rx_prefix_i[p*32+:32]),
          .rx_prefix_valid_i      (rx_prefix_valid_i[p]),
          .rx_err_i               (rx_err_i[p]),
          .rx_credit_limit_o      (rx_credit_limit_o[p*60+:60]),
          .rx_credit_infinite_o   (rx_credit_infinite_o[p*6+:6]),
          .link_up_i              (link_up_i),
          .memory_enable_i        (memory_enable),
          .bus_master_enable_i    (bus_master_enable),
          .atomic_egress_block_i  (atomic_egress_block),
          .memory_base_i          (memory_base),
          .memory_limit_i         (memory_limit),
          .prefetchable_base_i    (prefetchable_base),
          .prefetchable_limit_i   (prefetchable_limit),
          .secondary_bus_i        (secondary_bus),
          .subordinate_bus_i      (subordinate_bus),
          .id_i                   (id),
          .acs_control_i          (acs_control),
          .acs_vector_i           (acs_vector),
          .cfg_function_o         (cfg_function[p*PORTS+:PORTS]),
          .cfg_valid_o            (cfg_valid[p]),
          .cfg_write_o            (cfg_write[p]),
          .cfg_register_o         (cfg_register[p*10+:10]),
          .cfg_enables_o          (cfg_enables[p*4+:4]),
          .cfg_wdata_o            (cfg_wdata[p*32+:32]),
          .cfg_target_o           (cfg_target[p*16+:16]),
          .cfg_rdata_i            (cfg_rdata),
          .out_valid_o            (ingress_valid[p*3*PORTS+:3*PORTS]),
          .out_ready_i            (ingress_ready[p*3*PORTS+:3*PORTS]),
          .out_sop_o              (sop[p*3+:3]),
          .out_eop_o              (eop[p*3+:3]),
          .out_data_o             (data[p*3*DATA_W+:3*DATA_W]),
          .out_empty_o            (empty[p*3*EMPTY_W+:3*EMPTY_W]),
          .out_hdr_o              (hdr[p*3*128+:3*128]),
          .out_prefix_o           (prefix[p*3*32+:3*32]),
          .out_prefix_valid_o     (prefix_valid[p*3+:3]),
          .out_err_o              (err[p*3+:3]),
          .completion_valid_o     (completion_valid[p]),
          .completion_ready_i     (completion_ready[p]),
          .completion_data_o      (completion_data[p*DATA_W+:DATA_W]),
          .completion_empty_o     (completion_empty[p*EMPTY_W+:EMPTY_W]),
          .completion_hdr_o       (completion_hdr[p*128+:128]),
          .stat_forwarded_o       (stat_forwarded_o[p*3+:3]),
          .stat_redirected_o      (stat_redirected_o[p*3+:3]),
          .stat_direct_peer_o     (stat_direct_peer_o[p*3+:3]),
          .stat_unsupported_o     (stat_unsupported_o[p*3+:3]),
          .stat_acs_violation_o   (stat_acs_violation_o[p*3+:3]),
          .set_correctable_o      (set_correctable[p]),
          .set_nonfatal_o         (set_nonfatal[p]),
          .set_unsupported_o      (set_unsupported[p]),
          .set_target_abort_o     (set_target_abort[p])
      );

      for (genvar k = 0; k < STREAMS; k++) begin : g_crossbar
        assign egress_valid[p*STREAMS+k] = ingress_valid[k*PORTS+p];
        assign ingress_ready[k*PORTS+p] = egress_ready[p*STREAMS+k];
      end

      switch_egress #(
          .PORTS (PORTS),
          .EGRESS(p),
          .DATA_W(DATA_W)
      ) u_egress (
          .clk_i               (clk_i),
          .rst_i               (rst_i),
          .link_up_i           (link_up_i[p]),
          .in_valid_i          (egress_valid[p*STREAMS+:STREAMS]),
          .in_ready_o          (egress_ready[p*STREAMS+:STREAMS]),
          .in_sop_i            (sop),
          .in_eop_i            (eop),
          .in_data_i           (data),
          .in_empty_i          (empty),
          .in_hdr_i            (hdr),
          .in_prefix_i         (prefix),
          .in_prefix_valid_i   (prefix_valid),
          .in_err_i            (err),
          .completion_valid_i  (completion_valid[p]),
          .completion_ready_o  (completion_ready[p]),
          .completion_data_i   (completion_data[p*DATA_W+:DATA_W]),
          .completion_empty_i  (completion_empty[p*EMPTY_W+:EMPTY_W]),
          .completion_hdr_i    (completion_hdr[p*128+:128]),
          .tx_valid_o          (tx_valid_o[p]),
          .tx_ready_i          (tx_ready_i[p]),
          .tx_sop_o            (tx_sop_o[p]),
          .tx_eop_o            (tx_eop_o[p]),
          .tx_data_o           (tx_data_o[p*DATA_W+:DATA_W]),
          .tx_empty_o          (tx_empty_o[p*EMPTY_W+:EMPTY_W]),
          .tx_hdr_o            (tx_hdr_o[p*128+:128]),
          .tx_prefix_o         (tx_prefix_o[p*32+:32]),
          .tx_prefix_valid_o   (tx_prefix_valid_o[p]),
          .tx_err_o            (tx_err_o[p]),
          .tx_credit_limit_i   (tx_credit_limit_i[p*60+:60]),
          .tx_credit_infinite_i(tx_credit_infinite_i[p*6+:6])
      );
    end
  endgenerate

  generate
    if (DOWNSTREAM_PORTS < 1 || DOWNSTREAM_PORTS > 31) begin : g_check_ports
      initial $fatal(1, "pcie_switch: DOWNSTREAM_PORTS must be 1..31");
    end
  endgenerate

endmodule
`default_nettype wire
