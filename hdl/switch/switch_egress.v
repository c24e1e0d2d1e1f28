`default_nettype none
// Egress of one port: transmit arbiter over all ingress ports and classes. The place of the port itself, from which nothing comes
// back, is taken by the completions that the switch makes for requests of this port.
module switch_egress #(
    // Upstream port and downstream ports, and the one this is.
    parameter int PORTS = 3,
    parameter int EGRESS = 0,
    // Payload width of a beat: 128, 256 or 512.
    parameter int DATA_W = 512,
    // Derived: bits of `empty`; streams.
    parameter int EMPTY_W = $clog2(DATA_W / 32),
    parameter int STREAMS = PORTS * 3
) (
    input  wire                       clk_i,
    input  wire                       rst_i,
    input  wire                       link_up_i,

    // Streams of all ingress ports, index ingress*3 + class; `in_valid_i` only for TLPs that leave here.
    input  wire [STREAMS-1:0]         in_valid_i,
    output wire [STREAMS-1:0]         in_ready_o,
    input  wire [STREAMS-1:0]         in_sop_i,
    input  wire [STREAMS-1:0]         in_eop_i,
    input  wire [STREAMS*DATA_W-1:0]  in_data_i,
    input  wire [STREAMS*EMPTY_W-1:0] in_empty_i,
    input  wire [STREAMS*128-1:0]     in_hdr_i,
    input  wire [STREAMS*32-1:0]      in_prefix_i,
    input  wire [STREAMS-1:0]         in_prefix_valid_i,
    input  wire [STREAMS-1:0]         in_err_i,

    // Completions of the switch itself, one beat each.
    input  wire                       completion_valid_i,
    output wire                       completion_ready_o,
    input  wire [DATA_W-1:0]          completion_data_i,
    input  wire [EMPTY_W-1:0]         completion_empty_i,
    input  wire [127:0]               completion_hdr_i,

    // TLP link out.
    output wire                       tx_valid_o,
    input  wire                       tx_ready_i,
    output wire                       tx_sop_o,
    output wire                       tx_eop_o,
    output wire [DATA_W-1:0]          tx_data_o,
    output wire [EMPTY_W-1:0]         tx_empty_o,
    output wire [127:0]               tx_hdr_o,
    output wire [31:0]                tx_prefix_o,
    output wire                       tx_prefix_valid_o,
    output wire                       tx_err_o,
    input  wire [59:0]                tx_credit_limit_i,
    input  wire [5:0]                 tx_credit_infinite_i
);

  localparam int LOCAL = EGRESS * 3 + 2;

  logic [STREAMS-1:0]         valid, ready, sop, eop, prefix_valid, err;
  logic [STREAMS*DATA_W-1:0]  data;
  logic [STREAMS*EMPTY_W-1:0] empty;
  logic [STREAMS*128-1:0]     hdr;
  logic [STREAMS*32-1:0]      prefix;

  generate
    for (genvar k = 0; k < STREAMS; k++) begin : g_stream
      if (k == LOCAL) begin : g_local
        assign valid[k] = completion_valid_i;
        assign sop[k] = 1'b1;
        assign eop[k] = 1'b1;
        assign err[k] = 1'b0;
        assign prefix_valid[k] = 1'b0;
        assign prefix[k*32+:32] = 32'd0;
        assign data[k*DATA_W+:DATA_W] = completion_data_i;
        assign empty[k*EMPTY_W+:EMPTY_W] = completion_empty_i;
        assign hdr[k*128+:128] = completion_hdr_i;
        assign in_ready_o[k] = 1'b0;
      end else begin : g_ingress
        assign valid[k] = in_valid_i[k] && k / 3 != EGRESS;
        assign sop[k] = in_sop_i[k];
        assign eop[k] = in_eop_i[k];
        assign err[k] = in_err_i[k];
        assign prefix_valid[k] = in_prefix_valid_i[k];
        assign prefix[k*32+:32] = in_prefix_i[k*32+:32];
        assign data[k*DATA_W+:DATA_W] = in_data_i[k*DATA_W+:DATA_W];
        assign empty[k*EMPTY_W+:EMPTY_W] = in_empty_i[k*EMPTY_W+:EMPTY_W];
        assign hdr[k*128+:128] = in_hdr_i[k*128+:128];
        assign in_ready_o[k] = ready[k];
      end
    end
  endgenerate

  assign completion_ready_o = ready[LOCAL];

  // Streams of the port itself are not connected.
  wire unused_self = &{1'b0, in_valid_i, in_sop_i, in_eop_i, in_err_i, in_prefix_valid_i, in_prefix_i, in_data_i, in_empty_i, in_hdr_i};

  tlp_transmit_arbiter #(
      .DATA_W (DATA_W),
      .SOURCES(PORTS)
  ) u_arbiter (
      .clk_i               (clk_i),
      .rst_i               (rst_i),
      .link_up_i           (link_up_i),
      .in_valid_i          (valid),
      .in_ready_o          (ready),
      .in_sop_i            (sop),
      .in_eop_i            (eop),
      .in_data_i           (data),
      .in_empty_i          (empty),
      .in_hdr_i            (hdr),
      .in_prefix_i         (prefix),
      .in_prefix_valid_i   (prefix_valid),
      .in_err_i            (err),
      .tx_valid_o          (tx_valid_o),
      .tx_ready_i          (tx_ready_i),
      .tx_sop_o            (tx_sop_o),
      .tx_eop_o            (tx_eop_o),
      .tx_data_o           (tx_data_o),
      .tx_empty_o          (tx_empty_o),
      .tx_hdr_o            (tx_hdr_o),
      .tx_prefix_o         (tx_prefix_o),
      .tx_prefix_valid_o   (tx_prefix_valid_o),
      .tx_err_o            (tx_err_o),
      .tx_credit_limit_i   (tx_credit_limit_i),
      .tx_credit_infinite_i(tx_credit_infinite_i)
  );

endmodule
`default_nettype wire
