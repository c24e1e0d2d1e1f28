`default_nettype none
// Ingress of one port: receive buffer, and per class the steering to the egress ports and to the local completer.
module switch_ingress #(
    // Upstream port and downstream ports, and the one this is.
    parameter int PORTS = 3,
    parameter int INGRESS = 0,
    // Payload width of a beat: 128, 256 or 512.
    parameter int DATA_W = 512,
    // Room per class in header and data credits (tlp_receive_buffer.v).
    parameter int POSTED_HEADERS = 32,
    parameter int POSTED_DATA = 256,
    parameter int NONPOSTED_HEADERS = 32,
    parameter int NONPOSTED_DATA = 32,
    parameter int COMPLETION_HEADERS = 32,
    parameter int COMPLETION_DATA = 256,
    // Derived: bits of `empty`.
    parameter int EMPTY_W = $clog2(DATA_W / 32)
) (
    input  wire                   clk_i,
    input  wire                   rst_i,

    // TLP link in.
    input  wire                   rx_valid_i,
    output wire                   rx_ready_o,
    input  wire                   rx_sop_i,
    input  wire                   rx_eop_i,
    input  wire [DATA_W-1:0]      rx_data_i,
    input  wire [EMPTY_W-1:0]     rx_empty_i,
    input  wire [127:0]           rx_hdr_i,
    input  wire [31:0]            rx_prefix_i,
    input  wire                   rx_prefix_valid_i,
    input  wire                   rx_err_i,
    output wire [59:0]            rx_credit_limit_o,
    output wire [5:0]             rx_credit_infinite_o,

    // Configuration of the ports, port 0 lowest (switch_port_config.v).
    input  wire [PORTS-1:0]       link_up_i,
    input  wire [PORTS-1:0]       memory_enable_i,
    input  wire [PORTS-1:0]       bus_master_enable_i,
    input  wire [PORTS-1:0]       atomic_egress_block_i,
    input  wire [PORTS*12-1:0]    memory_base_i,
    input  wire [PORTS*12-1:0]    memory_limit_i,
    input  wire [PORTS*44-1:0]    prefetchable_base_i,
    input  wire [PORTS*44-1:0]    prefetchable_limit_i,
    input  wire [PORTS*8-1:0]     secondary_bus_i,
    input  wire [PORTS*8-1:0]     subordinate_bus_i,
    input  wire [PORTS*16-1:0]    id_i,
    input  wire [PORTS*7-1:0]     acs_control_i,
    input  wire [PORTS*PORTS-1:0] acs_vector_i,

    // Configuration access by requests of this port (switch_local_completer.v).
    output wire [PORTS-1:0]       cfg_function_o,
    output wire                   cfg_valid_o,
    output wire                   cfg_write_o,
    output wire [9:0]             cfg_register_o,
    output wire [3:0]             cfg_enables_o,
    output wire [31:0]            cfg_wdata_o,
    output wire [15:0]            cfg_target_o,
    input  wire [31:0]            cfg_rdata_i,

    // Streams out, class 0 (posted), 1 (non-posted), 2 (completion); a handshake for each egress: index class*PORTS + egress.
    output wire [3*PORTS-1:0]     out_valid_o,
    input  wire [3*PORTS-1:0]     out_ready_i,
    output wire [2:0]             out_sop_o,
    output wire [2:0]             out_eop_o,
    output wire [3*DATA_W-1:0]    out_data_o,
    output wire [3*EMPTY_W-1:0]   out_empty_o,
    output wire [3*128-1:0]       out_hdr_o,
    output wire [3*32-1:0]        out_prefix_o,
    output wire [2:0]             out_prefix_valid_o,
    output wire [2:0]             out_err_o,

    // Completions that the switch makes for requests of this port: they leave where the request came from.
    output wire                   completion_valid_o,
    input  wire                   completion_ready_i,
    output wire [DATA_W-1:0]      completion_data_o,
    output wire [EMPTY_W-1:0]     completion_empty_o,
    output wire [127:0]           completion_hdr_o,

    // Strobes per class (switch_steer.v), and Device and Secondary Status bits to set.
    output wire [2:0]             stat_forwarded_o,
    output wire [2:0]             stat_redirected_o,
    output wire [2:0]             stat_direct_peer_o,
    output wire [2:0]             stat_unsupported_o,
    output wire [2:0]             stat_acs_violation_o,
    output wire                   set_correctable_o,
    output wire                   set_nonfatal_o,
    output wire                   set_unsupported_o,
    output wire                   set_target_abort_o
);

  // Class streams of the receive buffer, index = class.
  logic [2:0]           valid, ready, sop, eop, prefix_valid, err;
  logic [3*DATA_W-1:0]  data;
  logic [3*EMPTY_W-1:0] empty;
  logic [3*128-1:0]     hdr;
  logic [3*32-1:0]      prefix;

  logic [3*PORTS-1:0] steer_valid, steer_ready, config_function;
  logic [2:0]         violation;
  logic               completer_ready;

  tlp_receive_buffer #(
      .DATA_W            (DATA_W),
      .POSTED_HEADERS     (POSTED_HEADERS),
      .POSTED_DATA        (POSTED_DATA),
      .NONPOSTED_HEADERS  (NONPOSTED_HEADERS),
      .NONPOSTED_DATA     (NONPOSTED_DATA),
      .COMPLETION_HEADERS (COMPLETION_HEADERS),
      .COMPLETION_DATA    (COMPLETION_DATA)
  ) u_buffer (
      .clk_i                    (clk_i),
      .rst_i                    (rst_i),
      .link_up_i                (link_up_i[INGRESS]),
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
      .posted_valid_o           (valid[0]),
      .posted_ready_i           (ready[0]),
      .posted_sop_o             (sop[0]),
      .posted_eop_o             (eop[0]),
      .posted_data_o            (data[0*DATA_W+:DATA_W]),
      .posted_empty_o           (empty[0*EMPTY_W+:EMPTY_W]),
      .posted_hdr_o             (hdr[0*128+:128]),
      .posted_prefix_o          (prefix[0*32+:32]),
      .posted_prefix_valid_o    (prefix_valid[0]),
      .posted_err_o             (err[0]),
      .nonposted_valid_o        (valid[1]),
      .nonposted_ready_i        (ready[1]),
      .nonposted_sop_o          (sop[1]),
      .nonposted_eop_o          (eop[1]),
      .nonposted_data_o         (data[1*DATA_W+:DATA_W]),
      .nonposted_empty_o        (empty[1*EMPTY_W+:EMPTY_W]),
      .nonposted_hdr_o          (hdr[1*128+:128]),
      .nonposted_prefix_o       (prefix[1*32+:32]),
      .nonposted_prefix_valid_o (prefix_valid[1]),
      .nonposted_err_o          (err[1]),
      .completion_valid_o       (valid[2]),
      .completion_ready_i       (ready[2]),
      .completion_sop_o         (sop[2]),
      .completion_eop_o         (eop[2]),
      .completion_data_o        (data[2*DATA_W+:DATA_W]),
      .completion_empty_o       (empty[2*EMPTY_W+:EMPTY_W]),
      .completion_hdr_o         (hdr[2*128+:128]),
      .completion_prefix_o      (prefix[2*32+:32]),
      .completion_prefix_valid_o(prefix_valid[2]),
      .completion_err_o         (err[2])
  );

  generate
    for (genvar c = 0; c < 3; c++) begin : g_class
      switch_steer #(
          .PORTS        (PORTS),
          .INGRESS      (INGRESS),
          .DATA_W       (DATA_W),
          .HAS_COMPLETER(c == 1)
      ) u_steer (
          .clk_i                  (clk_i),
          .rst_i                  (rst_i),
          .link_up_i              (link_up_i),
          .memory_enable_i        (memory_enable_i),
          .bus_master_enable_i    (bus_master_enable_i),
          .atomic_egress_block_i  (atomic_egress_block_i),
          .memory_base_i          (memory_base_i),
          .memory_limit_i         (memory_limit_i),
          .prefetchable_base_i    (prefetchable_base_i),
          .prefetchable_limit_i   (prefetchable_limit_i),
          .secondary_bus_i        (secondary_bus_i),
          .subordinate_bus_i      (subordinate_bus_i),
          .id_i                   (id_i),
          .acs_control_i          (acs_control_i),
          .acs_vector_i           (acs_vector_i),
          .in_valid_i             (valid[c]),
          .in_ready_o             (ready[c]),
          .in_sop_i               (sop[c]),
          .in_eop_i               (eop[c]),
          .in_err_i               (err[c]),
          .in_hdr_i               (hdr[c*128+:128]),
          .out_valid_o            (steer_valid[c*PORTS+:PORTS]),
          .out_ready_i            (steer_ready[c*PORTS+:PORTS]),
          .out_hdr_o              (out_hdr_o[c*128+:128]),
          .config_o               (config_function[c*PORTS+:PORTS]),
          .violation_o            (violation[c]),
          .stat_forwarded_o       (stat_forwarded_o[c]),
          .stat_redirected_o      (stat_redirected_o[c]),
          .stat_direct_peer_o     (stat_direct_peer_o[c]),
          .stat_unsupported_o     (stat_unsupported_o[c]),
          .stat_acs_violation_o   (stat_acs_violation_o[c])
      );

      for (genvar e = 0; e < PORTS; e++) begin : g_egress
        assign out_valid_o[c*PORTS+e] = steer_valid[c*PORTS+e] && e != INGRESS;
        assign steer_ready[c*PORTS+e] = e == INGRESS ? c == 1 && completer_ready : out_ready_i[c*PORTS+e];
      end
    end
  endgenerate

  // Only non-posted requests reach the completer or a configuration space.
  wire unused_decisions = &{1'b0, config_function, violation, out_ready_i};
  // Constant fields of a completion made here; the egress sets them.
  wire        unused_sop, unused_eop, unused_prefix_valid, unused_err;
  wire [31:0] unused_prefix;

  switch_local_completer #(
      .PORTS (PORTS),
      .DATA_W(DATA_W)
  ) u_completer (
      .clk_i                    (clk_i),
      .rst_i                    (rst_i),
      .request_valid_i          (steer_valid[PORTS+INGRESS]),
      .request_ready_o          (completer_ready),
      .request_sop_i            (sop[1]),
      .request_eop_i            (eop[1]),
      .request_data_i           (data[DATA_W+:32]),
      .request_hdr_i            (hdr[128+:128]),
      .request_err_i            (err[1]),
      .config_i                 (config_function[PORTS+:PORTS]),
      .violation_i              (violation[1]),
      .id_i                     (id_i[INGRESS*16+:16]),
      .cfg_function_o           (cfg_function_o),
      .cfg_valid_o              (cfg_valid_o),
      .cfg_write_o              (cfg_write_o),
      .cfg_register_o           (cfg_register_o),
      .cfg_enables_o            (cfg_enables_o),
      .cfg_wdata_o              (cfg_wdata_o),
      .cfg_target_o             (cfg_target_o),
      .cfg_rdata_i              (cfg_rdata_i),
      .completion_valid_o       (completion_valid_o),
      .completion_ready_i       (completion_ready_i),
      .completion_sop_o         (unused_sop),
      .completion_eop_o         (unused_eop),
      .completion_data_o        (completion_data_o),
      .completion_empty_o       (completion_empty_o),
      .completion_hdr_o         (completion_hdr_o),
      .completion_prefix_o      (unused_prefix),
      .completion_prefix_valid_o(unused_prefix_valid),
      .completion_err_o         (unused_err)
  );

  assign out_sop_o = sop;
  assign out_eop_o = eop;
  assign out_data_o = data;
  assign out_empty_o = empty;
  assign out_prefix_o = prefix;
  assign out_prefix_valid_o = prefix_valid;
  assign out_err_o = err;

  // Non-posted requests that get an answer, and unexpected completions, are advisory (correctable); dropped posted requests and ACS
  // violations are non-fatal errors.
  assign set_correctable_o = stat_unsupported_o[1] || stat_unsupported_o[2];
  assign set_nonfatal_o = stat_unsupported_o[0] || stat_acs_violation_o != 3'd0;
  assign set_unsupported_o = stat_unsupported_o[0] || stat_unsupported_o[1];
  assign set_target_abort_o = stat_acs_violation_o[1];

endmodule
`default_nettype wire
