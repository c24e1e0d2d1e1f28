`default_nettype none
// Sends the TLPs of one class of one ingress port where switch_route.v says: to an egress, to several (broadcast messages), to the local
// completer (non-posted requests that are not forwarded), or nowhere. Handshake only, payload goes around. Combinational
// from the queue to the egress: nothing is stored, so the order that the receive buffer keeps is not lost.
module switch_steer #(
    // Upstream port and downstream ports.
    parameter int PORTS = 3,
    // Port that the TLPs entered.
    parameter int INGRESS = 0,
    // Payload width of a beat.
    parameter int DATA_W = 512,
    // 1: what is not forwarded goes to the local completer (non-posted); 0: it is dropped.
    parameter bit HAS_COMPLETER = 1'b0
) (
    input  wire                   clk_i,
    input  wire                   rst_i,

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

    // Stream of this class.
    input  wire                   in_valid_i,
    output wire                   in_ready_o,
    input  wire                   in_sop_i,
    input  wire                   in_eop_i,
    input  wire                   in_err_i,
    input  wire [127:0]           in_hdr_i,

    // Handshake of each egress; bit INGRESS is the local completer.
    output wire [PORTS-1:0]       out_valid_o,
    input  wire [PORTS-1:0]       out_ready_i,
    // Header with configuration requests rewritten to type 0 where the bus is reached.
    output wire [127:0]           out_hdr_o,

    // Decision for the local completer, valid at sop.
    output wire [PORTS-1:0]       config_o,
    output wire                   violation_o,

    // Strobes at the end of a TLP that is not nullified.
    output wire                   stat_forwarded_o,
    output wire                   stat_redirected_o,
    output wire                   stat_direct_peer_o,
    output wire                   stat_unsupported_o,
    output wire                   stat_acs_violation_o
);

  logic [PORTS-1:0] forward, to_completer;
  logic             convert, redirected, direct_peer, unsupported, done;

  // Decision {forwarded, redirected, direct, unsupported, violation} at sop, held for the strobes at eop.
  logic [4:0] outcome, outcome_q;

  switch_route #(
      .PORTS  (PORTS),
      .INGRESS(INGRESS),
      .DATA_W (DATA_W)
  ) u_route (
      .hdr_i                  (in_hdr_i),
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
      .forward_o              (forward),
      .config_o               (config_o),
      .convert_o              (convert),
      .redirected_o           (redirected),
      .direct_peer_o          (direct_peer),
      .unsupported_o          (unsupported),
      .violation_o            (violation_o)
  );

  assign to_completer = HAS_COMPLETER && (config_o != '0 || unsupported || violation_o) ? PORTS'(1) << INGRESS : '0;

  tlp_stream_demux #(
      .OUTPUTS(PORTS)
  ) u_demux (
      .clk_i      (clk_i),
      .rst_i      (rst_i),
      .in_valid_i (in_valid_i),
      .in_ready_o (in_ready_o),
      .in_sop_i   (in_sop_i),
      .in_eop_i   (in_eop_i),
      .select_i   (forward | to_completer),
      .out_valid_o(out_valid_o),
      .out_ready_i(out_ready_i)
  );

  assign out_hdr_o = {in_hdr_i[127:121], in_hdr_i[120] && !convert, in_hdr_i[119:0]};

  assign outcome = in_sop_i ? {forward != '0, redirected, direct_peer, unsupported, violation_o} : outcome_q;
  assign done = in_valid_i && in_ready_o && in_eop_i && !in_err_i;
  assign {stat_forwarded_o, stat_redirected_o, stat_direct_peer_o, stat_unsupported_o, stat_acs_violation_o} = done ? outcome : 5'd0;

  always_ff @(posedge clk_i) if (in_valid_i) outcome_q <= outcome;

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i && in_valid_i && in_sop_i)
      assert (!forward[INGRESS]) else $error("switch_steer: a TLP would leave where it entered");
  end
`endif

endmodule
`default_nettype wire
