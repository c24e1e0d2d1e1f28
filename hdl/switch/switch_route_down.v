`default_nettype none
// Route of a TLP that enters the upstream port. Combinational, a pure function of header and configuration.
// With no output set the TLP ends here silently (messages to the switch itself).
// Restrictions: messages routed by address or gathered are unsupported; a broadcast message fits into one beat.
module switch_route_down #(
    // Upstream port and downstream ports.
    parameter int PORTS = 3,
    // Payload width of a beat.
    parameter int DATA_W = 512
) (
    input  wire [127:0]       hdr_i,

    // Links that are up; AtomicOp Egress Blocking; ID of the upstream port.
    input  wire [PORTS-1:0]   link_up_i,
    input  wire [PORTS-1:0]   atomic_egress_block_i,
    input  wire [15:0]        upstream_id_i,

    // Claims (switch_claim.v) on the address, and on the bus number that routes this TLP.
    input  wire [PORTS-1:0]   window_i,
    input  wire [PORTS-1:0]   range_i,
    input  wire [PORTS-1:0]   secondary_i,

    // Ports to forward to (several: broadcast), one-hot configuration function to access, rewrite as type 0.
    output wire [PORTS-1:0]   forward_o,
    output wire [PORTS-1:0]   config_o,
    output wire               convert_o,
    output wire               unsupported_o
);

  logic [7:0]       fmt_type;
  logic [4:0]       target_device;
  logic [2:0]       target_function;
  logic             is_poisoned;
  logic [10:0]      payload;
  logic [PORTS-1:0] claim, forward, config_function;
  logic             convert, local_message;

  // Address, bus numbers and the remaining fields are looked at by switch_claim.v and the destination.
  wire unused_hdr = &{1'b0, hdr_i};

  assign fmt_type = hdr_i[127:120];
  assign target_device = hdr_i[55:51];
  assign target_function = hdr_i[50:48];
  assign is_poisoned = hdr_i[110];
  assign payload = tlp_pkg::payload_dwords(hdr_i);

  // Port numbers below the upstream port that claim, lowest first.
  function automatic [PORTS-1:0] lowest(input [PORTS-1:0] claims);
    begin
      lowest = claims & (~claims + 1'b1);
    end
  endfunction

  always_comb begin
    claim = '0;
    forward = '0;
    config_function = '0;
    convert = 1'b0;
    local_message = 1'b0;
    if (tlp_pkg::is_memory_request(fmt_type)) begin
      if (window_i[0]) claim = lowest(window_i & ~PORTS'(1));
      forward = fmt_type[4:2] == 3'b011 ? claim & ~atomic_egress_block_i : claim;
    end else if (fmt_type[4:0] == tlp_pkg::CFGRD0[4:0]) begin
      config_function[0] = target_function == 3'd0 && !is_poisoned;
    end else if (fmt_type[4:0] == tlp_pkg::CFGRD1[4:0]) begin
      if (secondary_i[0]) begin
        for (int p = 1; p < PORTS; p++)
          config_function[p] = 32'(target_device) == p - 1 && target_function == 3'd0 && !is_poisoned;
      end else if (range_i[0]) begin
        claim = lowest(range_i & ~PORTS'(1));
        convert = (claim & secondary_i) != '0;
        // Without ARI only device 0 exists on a link.
        if (!convert || target_device == 5'd0) forward = claim;
      end
    end else if (fmt_type[4:1] == 4'b0101) begin
      forward = lowest(range_i & ~PORTS'(1));
    end else if (fmt_type[4:3] == 2'b10) begin
      case (fmt_type[2:0])
        3'd2: begin
          local_message = secondary_i[0] || hdr_i[63:48] == upstream_id_i;
          if (!local_message) forward = lowest(range_i & ~PORTS'(1));
        end
        3'd3: begin
          local_message = (link_up_i >> 1) == '0;
          if (32'(payload) <= DATA_W / 32) forward = ~PORTS'(1) & link_up_i;
        end
        3'd4: local_message = 1'b1;
        default: ;
      endcase
    end
  end

  assign forward_o = forward & link_up_i;
  assign config_o = config_function;
  assign convert_o = convert;
  assign unsupported_o = forward_o == '0 && config_o == '0 && !local_message;

endmodule
`default_nettype wire
