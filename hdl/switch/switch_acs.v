`default_nettype none
// ACS decision for a request that enters a downstream port (PCIe Access Control Services). Combinational.
// Source Validation and Translation Blocking hold for every request; the others for one that a sibling port claims.
module switch_acs (
    // ACS Control {DT, EC, UF, CR, RR, TB, SV} of the port, and its egress control bit for the sibling.
    input  wire [6:0] control_i,
    input  wire       egress_bit_i,

    // The requester's bus lies below this port; the request is a memory request, and its address type (0 for other requests).
    input  wire       source_valid_i,
    input  wire       is_memory_i,
    input  wire [1:0] address_type_i,

    // Violation whatever the target; and for a target below a sibling: violation, upstream, or (neither) direct.
    output wire       violation_o,
    output wire       peer_violation_o,
    output wire       peer_redirect_o
);

  logic source_validation, translation_blocking, request_redirect, egress_control, direct_translated;
  logic is_direct_translated, is_egress_closed;

  assign source_validation = control_i[0];
  assign translation_blocking = control_i[1];
  assign request_redirect = control_i[2];
  assign egress_control = control_i[5];
  assign direct_translated = control_i[6];

  // Completion Redirect and Upstream Forwarding are decided in switch_route_up.v.
  wire unused_control = &{1'b0, control_i[4:3]};

  assign violation_o = (source_validation && !source_valid_i) || (translation_blocking && is_memory_i && address_type_i != 2'd0);

  // Egress control decides alone: an open sibling is reached directly even with Request Redirect.
  assign is_direct_translated = direct_translated && is_memory_i && address_type_i == tlp_pkg::AT_TRANSLATED;
  assign is_egress_closed = egress_control && egress_bit_i;
  assign peer_violation_o = !is_direct_translated && is_egress_closed && !request_redirect;
  assign peer_redirect_o = !is_direct_translated && request_redirect && (!egress_control || egress_bit_i);

endmodule
`default_nettype wire
