`default_nettype none
// Messages to devices from two sources, the command queue and the page requests, take turns on one port. Registered output; a message
// stays until it is taken.
module iommu_message_port (
    input  wire                                   clk_i,
    input  wire                                   rst_i,

    // Sources, flat (message_t).
    input  wire [1:0]                             in_valid_i,
    output wire [1:0]                             in_ready_o,
    input  wire [2*iommu_spec_pkg::MESSAGE_W-1:0] in_message_i,

    output wire                                   out_valid_o,
    input  wire                                   out_ready_i,
    output wire [iommu_spec_pkg::MESSAGE_W-1:0]   out_message_o
);

  localparam int MESSAGE_W = iommu_spec_pkg::MESSAGE_W;

  logic                 valid_d, valid_q;
  logic [MESSAGE_W-1:0] message_q;
  wire                  load = !valid_q || out_ready_i;
  wire [1:0]            grant;
  wire                  unused_grant_index;

  round_robin_arbiter #(
      .REQUESTS(2)
  ) u_arbiter (
      .clk_i        (clk_i),
      .rst_i        (rst_i),
      .request_i    (in_valid_i),
      .advance_i    (load),
      .grant_o      (grant),
      .grant_index_o(unused_grant_index)
  );

  assign in_ready_o = grant & {2{load}};
  assign valid_d = load ? in_valid_i != 2'd0 : valid_q;

  always_ff @(posedge clk_i) begin
    valid_q <= valid_d;
    if (load) message_q <= grant[1] ? in_message_i[MESSAGE_W +: MESSAGE_W] : in_message_i[0 +: MESSAGE_W];
    if (rst_i) valid_q <= 1'b0;
  end

  assign out_valid_o = valid_q;
  assign out_message_o = message_q;

endmodule
`default_nettype wire
