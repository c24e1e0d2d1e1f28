`default_nettype none
// Route of a TLP that enters a downstream port, with ACS. Combinational, a pure function of header and configuration.
// With no output set the TLP ends here silently (messages to the switch itself).
// Requests that a sibling claims go to it or upstream as ACS says; messages routed by ID are requests in this sense.
// Restrictions: messages routed by address or gathered are unsupported.
module switch_route_up #(
    // Upstream port and downstream ports.
    parameter int PORTS = 3,
    // The downstream port that the TLP entered, 1..PORTS-1.
    parameter int INGRESS = 1
) (
    input  wire [127:0]       hdr_i,

    // Links that are up; Bus Master Enable and AtomicOp Egress Blocking of the ports; ID of the upstream port.
    input  wire [PORTS-1:0]   link_up_i,
    input  wire [PORTS-1:0]   bus_master_enable_i,
    input  wire [PORTS-1:0]   atomic_egress_block_i,
    input  wire [15:0]        upstream_id_i,

    // ACS Control and Egress Control Vector of this port.
    input  wire [6:0]         acs_control_i,
    input  wire [PORTS-1:0]   acs_vector_i,

    // Claims (switch_claim.v) on the address, and on the bus number that routes this TLP; 1 = the requester's bus is below this port.
    input  wire [PORTS-1:0]   window_i,
    input  wire [PORTS-1:0]   range_i,
    input  wire [PORTS-1:0]   secondary_i,
    input  wire               source_valid_i,

    // Port to forward to, one-hot; 1 = sent up although claimed below the switch; 1 = sent to a sibling.
    output wire [PORTS-1:0]   forward_o,
    output wire               redirected_o,
    output wire               direct_peer_o,
    output wire               unsupported_o,
    output wire               violation_o
);

  localparam [PORTS-1:0] UPSTREAM = PORTS'(1);
  localparam [PORTS-1:0] SELF = PORTS'(1) << INGRESS;

  logic [7:0]       fmt_type;
  logic             is_memory, is_io, is_completion, is_message, is_routed, is_relaxed, is_atomic;
  logic [PORTS-1:0] claims, sibling, forward;
  logic             claimed_here, claimed_sibling, completion_redirect, upstream_forwarding;
  logic             acs_violation, peer_violation, peer_redirect;
  logic             redirect, violation, local_message, may_master;

  // Address, bus numbers and the remaining fields are looked at by switch_claim.v and the destination.
  wire unused_hdr = &{1'b0, hdr_i};
  wire unused_secondary = &{1'b0, secondary_i};

  assign fmt_type = hdr_i[127:120];
  assign is_memory = tlp_pkg::is_memory_request(fmt_type);
  assign is_atomic = fmt_type[4:2] == 3'b011;
  assign is_io = fmt_type[4:0] == tlp_pkg::IORD[4:0];
  assign is_completion = fmt_type[4:1] == 4'b0101;
  assign is_message = fmt_type[4:3] == 2'b10;
  assign is_relaxed = hdr_i[109];
  assign completion_redirect = acs_control_i[3];
  assign upstream_forwarding = acs_control_i[4];

  // Memory requests are claimed by address; completions and messages by ID by bus number. The rest goes up or nowhere.
  assign is_routed = is_memory || is_completion || (is_message && fmt_type[2:0] == 3'd2);
  assign claims = is_memory ? window_i : range_i;
  assign claimed_here = claims[INGRESS];
  assign sibling = claims & ~UPSTREAM & ~SELF & (~(claims & ~UPSTREAM & ~SELF) + 1'b1);
  assign claimed_sibling = sibling != '0;

  switch_acs u_acs (
      .control_i       (acs_control_i),
      .egress_bit_i    ((acs_vector_i & sibling) != '0),
      .source_valid_i  (source_valid_i),
      .is_memory_i     (is_memory),
      .address_type_i  (is_memory ? hdr_i[107:106] : 2'd0),
      .violation_o     (acs_violation),
      .peer_violation_o(peer_violation),
      .peer_redirect_o (peer_redirect)
  );

  // Memory and I/O requests need Bus Master Enable of each bridge that they pass from its secondary side.
  assign may_master = bus_master_enable_i[INGRESS] || !(is_memory || is_io);

  always_comb begin
    forward = '0;
    redirect = 1'b0;
    violation = 1'b0;
    local_message = 1'b0;
    if (!is_completion && acs_violation) begin
      violation = 1'b1;
    end else if (is_routed) begin
      if (is_message && (secondary_i[0] || hdr_i[63:48] == upstream_id_i)) begin
        local_message = 1'b1;
      end else if (claimed_here) begin
        redirect = upstream_forwarding;
        if (upstream_forwarding) forward = UPSTREAM;
      end else if (claimed_sibling) begin
        if (is_completion) redirect = completion_redirect && !is_relaxed;
        else redirect = peer_redirect;
        violation = !is_completion && peer_violation;
        if (!violation) forward = redirect ? UPSTREAM : sibling;
      end else if (!claims[0]) begin
        forward = UPSTREAM;
      end
    end else if (is_io || (is_message && fmt_type[2:0] == 3'd0)) begin
      forward = UPSTREAM;
    end else begin
      local_message = is_message && fmt_type[2:0] == 3'd4;
    end

    // Source Validation and Translation Blocking are checked first, a violation of Egress Control is one of forwarding.
    if (!may_master) begin
      forward = '0;
      violation = !is_completion && acs_violation;
    end
    if ((is_memory || is_io) && !bus_master_enable_i[0]) forward = forward & ~UPSTREAM;
    if (is_atomic) forward = forward & ~atomic_egress_block_i;
  end

  assign forward_o = forward & link_up_i;
  assign redirected_o = redirect && forward_o != '0;
  assign direct_peer_o = (forward_o & sibling) != '0;
  assign violation_o = violation;
  assign unsupported_o = forward_o == '0 && !violation && !local_message;

endmodule
`default_nettype wire
