`default_nettype none
// Two-entry register slice: valid, data and ready are all registered, one word per cycle, latency 1 cycle.
module skid_buffer #(
    // Bits of a word.
    parameter int WIDTH = 32
) (
    input  wire             clk_i,
    input  wire             rst_i,

    // Input.
    input  wire             in_valid_i,
    output wire             in_ready_o,
    input  wire [WIDTH-1:0] in_data_i,

    // Output.
    output wire             out_valid_o,
    input  wire             out_ready_i,
    output wire [WIDTH-1:0] out_data_o
);

  logic             out_valid_d, out_valid_q;
  logic             skid_valid_d, skid_valid_q;
  logic [WIDTH-1:0] out_data_q, skid_data_q;
  logic             load_out;

  // A word in the skid register stops the input; it is the next to leave.
  assign in_ready_o = !skid_valid_q;
  assign out_valid_o = out_valid_q;
  assign out_data_o = out_data_q;
  assign load_out = out_ready_i || !out_valid_q;

  always_comb begin
    out_valid_d = out_valid_q;
    skid_valid_d = skid_valid_q;
    if (load_out) begin
      out_valid_d = skid_valid_q || in_valid_i;
      skid_valid_d = 1'b0;
    end else if (in_valid_i) begin
      skid_valid_d = 1'b1;
    end
  end

  always_ff @(posedge clk_i) begin
    if (load_out) out_data_q <= skid_valid_q ? skid_data_q : in_data_i;
    if (!skid_valid_q) skid_data_q <= in_data_i;
    out_valid_q <= out_valid_d;
    skid_valid_q <= skid_valid_d;
    if (rst_i) begin
      out_valid_q <= 1'b0;
      skid_valid_q <= 1'b0;
    end
  end

`ifndef SYNTHESIS
  logic             held_q;
  logic [WIDTH-1:0] held_data_q;

  always_ff @(posedge clk_i) begin
    held_q <= out_valid_o && !out_ready_i && !rst_i;
    held_data_q <= out_data_o;
    if (held_q && !rst_i)
      assert (out_valid_o && out_data_o == held_data_q) else $error("skid_buffer: output changed before it was taken");
  end
`endif

endmodule
`default_nettype wire
