`default_nettype none
// Handshake of a TLP stream that goes to one of several outputs, to several at once, or to none. The choice is read at sop
// and holds to eop. Payload, header and prefix wires of the stream go to all outputs as they are.
// A TLP with no output selected is consumed and dropped. With several, a beat leaves the input when all have taken it;
// so that no output waits for another inside a TLP, only single-beat TLPs may go to several. Combinational.
module tlp_stream_demux #(
    // Outputs, 1 or more.
    parameter int OUTPUTS = 2
) (
    input  wire               clk_i,
    input  wire               rst_i,

    // Stream in, and the outputs it goes to (looked at while `in_sop_i`).
    input  wire               in_valid_i,
    output wire               in_ready_o,
    input  wire               in_sop_i,
    input  wire               in_eop_i,
    input  wire [OUTPUTS-1:0] select_i,

    // Handshake of each output.
    output wire [OUTPUTS-1:0] out_valid_o,
    input  wire [OUTPUTS-1:0] out_ready_i
);

  logic [OUTPUTS-1:0] held_d, held_q, selected;
  // Outputs that have taken the beat already.
  logic [OUTPUTS-1:0] taken_d, taken_q, now;

  assign selected = in_sop_i ? select_i : held_q;
  assign out_valid_o = in_valid_i ? selected & ~taken_q : '0;
  assign now = out_valid_o & out_ready_i;
  assign in_ready_o = (selected & ~(taken_q | out_ready_i)) == '0;

  always_comb begin
    held_d = in_valid_i && in_sop_i ? select_i : held_q;
    taken_d = taken_q | now;
    if (in_valid_i && in_ready_o) taken_d = '0;
  end

  always_ff @(posedge clk_i) begin
    held_q <= held_d;
    taken_q <= taken_d;
    if (rst_i) taken_q <= '0;
  end

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i && in_valid_i && in_sop_i && !in_eop_i)
      assert ((select_i & (select_i - 1'b1)) == '0) else $error("tlp_stream_demux: several outputs for a TLP of several beats");
  end
`endif

endmodule
`default_nettype wire
