`default_nettype none
// Route of the TLP at the head of one queue of one ingress port: claims by address and ID, then the decision of the direction.
// Combinational, a pure function of header and configuration.
module switch_route #(
    // Upstream port and downstream ports.
    parameter int PORTS = 3,
    // Port that the TLP entered: 0 upstream, 1..PORTS-1 downstream.
    parameter int INGRESS = 0,
    // Payload width of a beat.
    parameter int DATA_W = 512
) (
    input  wire [127:0]           hdr_i,

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

    // Decision; all 0 = the TLP ends here silently.
    output wire [PORTS-1:0]       forward_o,
    output wire [PORTS-1:0]       config_o,
    output wire                   convert_o,
    output wire                   redirected_o,
    output wire                   direct_peer_o,
    output wire                   unsupported_o,
    output wire                   violation_o
);

  logic [PORTS-1:0] window, range, secondary;

  switch_claim #(
      .PORTS(PORTS)
  ) u_claim (
      .address_i           (tlp_pkg::request_address(hdr_i)),
      .bus_i               (hdr_i[63:56]),
      .memory_enable_i     (memory_enable_i),
      .memory_base_i       (memory_base_i),
      .memory_limit_i      (memory_limit_i),
      .prefetchable_base_i (prefetchable_base_i),
      .prefetchable_limit_i(prefetchable_limit_i),
      .secondary_bus_i     (secondary_bus_i),
      .subordinate_bus_i   (subordinate_bus_i),
      .window_o            (window),
      .range_o             (range),
      .secondary_o         (secondary)
  );

  generate
    if (INGRESS == 0) begin : g_down
      wire unused_config = &{1'b0, bus_master_enable_i, id_i, acs_control_i, acs_vector_i};

      switch_route_down #(
          .PORTS (PORTS),
          .DATA_W(DATA_W)
      ) u_route (
          .hdr_i                (hdr_i),
          .link_up_i            (link_up_i),
          .atomic_egress_block_i(atomic_egress_block_i),
          .upstream_id_i        (id_i[15:0]),
          .window_i             (window),
          .range_i              (range),
          .secondary_i          (secondary),
          .forward_o            (forward_o),
          .config_o             (config_o),
          .convert_o            (convert_o),
          .unsupported_o        (unsupported_o)
      );

      assign redirected_o = 1'b0;
      assign direct_peer_o = 1'b0;
      assign violation_o = 1'b0;
    end else begin : g_up
      wire unused_config = &{1'b0, id_i, acs_control_i, acs_vector_i};
      logic source_valid;

      assign source_valid = hdr_i[95:88] >= secondary_bus_i[INGRESS*8+:8] && hdr_i[95:88] <= subordinate_bus_i[INGRESS*8+:8];

      switch_route_up #(
          .PORTS  (PORTS),
          .INGRESS(INGRESS)
      ) u_route (
          .hdr_i                (hdr_i),
          .link_up_i            (link_up_i),
          .bus_master_enable_i  (bus_master_enable_i),
          .atomic_egress_block_i(atomic_egress_block_i),
          .upstream_id_i        (id_i[15:0]),
          .acs_control_i        (acs_control_i[INGRESS*7+:7]),
          .acs_vector_i         (acs_vector_i[INGRESS*PORTS+:PORTS]),
          .window_i             (window),
          .range_i              (range),
          .secondary_i          (secondary),
          .source_valid_i       (source_valid),
          .forward_o            (forward_o),
          .redirected_o         (redirected_o),
          .direct_peer_o        (direct_peer_o),
          .unsupported_o        (unsupported_o),
          .violation_o          (violation_o)
      );

      assign config_o = '0;
      assign convert_o = 1'b0;
    end
  endgenerate

endmodule
`default_nettype wire
