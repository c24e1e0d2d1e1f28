`default_nettype none
// The memory link: translated requests of the devices out, completions of host memory in and on to the link below.
// Completions whose requester ID is not on a bus below belong to nobody and are dropped; requests from memory do not exist.
module root_memory_port #(
    // Bits of a beat: 128, 256 or 512.
    parameter int DATA_W = 256,
    // Room for completions: header credits, data credits of 16 bytes.
    parameter int HEADERS = 64,
    parameter int DATA = 1024,
    // Derived: bits of `empty`.
    parameter int EMPTY_W = $clog2(DATA_W / 32)
) (
    input  wire                      clk_i,
    input  wire                      rst_i,
    input  wire                      link_up_i,

    // Buses below the root port.
    input  wire [7:0]                secondary_bus_i,
    input  wire [7:0]                subordinate_bus_i,

    // Posted requests in.
    input  wire                      posted_valid_i,
    output wire                      posted_ready_o,
    input  wire                      posted_sop_i,
    input  wire                      posted_eop_i,
    input  wire [DATA_W-1:0]         posted_data_i,
    input  wire [EMPTY_W-1:0]        posted_empty_i,
    input  wire [127:0]              posted_hdr_i,
    input  wire [31:0]               posted_prefix_i,
    input  wire                      posted_prefix_valid_i,
    input  wire                      posted_err_i,
    // All posted TLPs taken before this cycle have been taken by memory (at the end of this cycle).
    output wire                      posted_settled_o,

    // Non-posted requests in (no prefix).
    input  wire                      nonposted_valid_i,
    output wire                      nonposted_ready_o,
    input  wire                      nonposted_sop_i,
    input  wire                      nonposted_eop_i,
    input  wire [DATA_W-1:0]         nonposted_data_i,
    input  wire [EMPTY_W-1:0]        nonposted_empty_i,
    input  wire [127:0]              nonposted_hdr_i,
    input  wire                      nonposted_err_i,

    // Completions out, towards the link below.
    output wire                      completion_valid_o,
    input  wire                      completion_ready_i,
    output wire                      completion_sop_o,
    output wire                      completion_eop_o,
    output wire [DATA_W-1:0]         completion_data_o,
    output wire [EMPTY_W-1:0]        completion_empty_o,
    output wire [127:0]              completion_hdr_o,
    output wire [31:0]               completion_prefix_o,
    output wire                      completion_prefix_valid_o,
    output wire                      completion_err_o,

    // Memory link.
    output wire                      tx_valid_o,
    input  wire                      tx_ready_i,
    output wire                      tx_sop_o,
    output wire                      tx_eop_o,
    output wire [DATA_W-1:0]         tx_data_o,
    output wire [EMPTY_W-1:0]        tx_empty_o,
    output wire [127:0]              tx_hdr_o,
    output wire [31:0]               tx_prefix_o,
    output wire                      tx_prefix_valid_o,
    output wire                      tx_err_o,
    input  wire [59:0]               tx_credit_limit_i,
    input  wire [5:0]                tx_credit_infinite_i,
    input  wire                      rx_valid_i,
    output wire                      rx_ready_o,
    input  wire                      rx_sop_i,
    input  wire                      rx_eop_i,
    input  wire [DATA_W-1:0]         rx_data_i,
    input  wire [EMPTY_W-1:0]        rx_empty_i,
    input  wire [127:0]              rx_hdr_i,
    input  wire [31:0]               rx_prefix_i,
    input  wire                      rx_prefix_valid_i,
    input  wire                      rx_err_i,
    output wire [59:0]               rx_credit_limit_o,
    output wire [5:0]                rx_credit_infinite_o,

    // Statistics: a completion belonged to nobody.
    output wire                      stat_completion_unexpected_o
);

  // Requests.
  wire unused_completion_ready;

  tlp_transmit_arbiter #(
      .DATA_W (DATA_W),
      .SOURCES(1)
  ) u_transmit (
      .clk_i               (clk_i),
      .rst_i               (rst_i),
      .link_up_i           (link_up_i),
      .in_valid_i          ({1'b0, nonposted_valid_i, posted_valid_i}),
      .in_ready_o          ({unused_completion_ready, nonposted_ready_o, posted_ready_o}),
      .in_sop_i            ({1'b0, nonposted_sop_i, posted_sop_i}),
      .in_eop_i            ({1'b0, nonposted_eop_i, posted_eop_i}),
      .in_data_i           ({{DATA_W{1'b0}}, nonposted_data_i, posted_data_i}),
      .in_empty_i          ({{EMPTY_W{1'b0}}, nonposted_empty_i, posted_empty_i}),
      .in_hdr_i            ({128'd0, nonposted_hdr_i, posted_hdr_i}),
      .in_prefix_i         ({32'd0, 32'd0, posted_prefix_i}),
      .in_prefix_valid_i   ({1'b0, 1'b0, posted_prefix_valid_i}),
      .in_err_i            ({1'b0, nonposted_err_i, posted_err_i}),
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


  // The arbiter holds one beat: everything is settled unless that beat stands.
  assign posted_settled_o = !tx_valid_o || tx_ready_i;

  // Completions; requests cannot come from memory, what does is dropped.
  wire               unused_posted_valid;
  wire               unused_posted_sop, unused_posted_eop, unused_posted_prefix_valid, unused_posted_err;
  wire [DATA_W-1:0]  unused_posted_data;
  wire [EMPTY_W-1:0] unused_posted_empty;
  wire [127:0]       unused_posted_hdr;
  wire [31:0]        unused_posted_prefix;
  wire               unused_nonposted_valid;
  wire               unused_nonposted_sop, unused_nonposted_eop, unused_nonposted_prefix_valid, unused_nonposted_err;
  wire [DATA_W-1:0]  unused_nonposted_data;
  wire [EMPTY_W-1:0] unused_nonposted_empty;
  wire [127:0]       unused_nonposted_hdr;
  wire [31:0]        unused_nonposted_prefix;
  wire               received_valid, received_ready;

  tlp_receive_buffer #(
      .DATA_W            (DATA_W),
      .POSTED_HEADERS    (1),
      .POSTED_DATA       (1),
      .NONPOSTED_HEADERS (1),
      .NONPOSTED_DATA    (1),
      .COMPLETION_HEADERS(HEADERS),
      .COMPLETION_DATA   (DATA)
  ) u_receive (
      .clk_i                    (clk_i),
      .rst_i                    (rst_i),
      .link_up_i                (link_up_i),
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
      .posted_valid_o           (unused_posted_valid),
      .posted_ready_i           (1'b1),
      .posted_sop_o             (unused_posted_sop),
      .posted_eop_o             (unused_posted_eop),
      .posted_data_o            (unused_posted_data),
      .posted_empty_o           (unused_posted_empty),
      .posted_hdr_o             (unused_posted_hdr),
      .posted_prefix_o          (unused_posted_prefix),
      .posted_prefix_valid_o    (unused_posted_prefix_valid),
      .posted_err_o             (unused_posted_err),
      .nonposted_valid_o        (unused_nonposted_valid),
      .nonposted_ready_i        (1'b1),
      .nonposted_sop_o          (unused_nonposted_sop),
      .nonposted_eop_o          (unused_nonposted_eop),
      .nonposted_data_o         (unused_nonposted_data),
      .nonposted_empty_o        (unused_nonposted_empty),
      .nonposted_hdr_o          (unused_nonposted_hdr),
      .nonposted_prefix_o       (unused_nonposted_prefix),
      .nonposted_prefix_valid_o (unused_nonposted_prefix_valid),
      .nonposted_err_o          (unused_nonposted_err),
      .completion_valid_o       (received_valid),
      .completion_ready_i       (received_ready),
      .completion_sop_o         (completion_sop_o),
      .completion_eop_o         (completion_eop_o),
      .completion_data_o        (completion_data_o),
      .completion_empty_o       (completion_empty_o),
      .completion_hdr_o         (completion_hdr_o),
      .completion_prefix_o      (completion_prefix_o),
      .completion_prefix_valid_o(completion_prefix_valid_o),
      .completion_err_o         (completion_err_o)
  );

  wire below = secondary_bus_i != 8'd0 && completion_hdr_o[63:56] >= secondary_bus_i &&
      completion_hdr_o[63:56] <= subordinate_bus_i;

  tlp_stream_demux #(
      .OUTPUTS(1)
  ) u_route (
      .clk_i      (clk_i),
      .rst_i      (rst_i),
      .in_valid_i (received_valid),
      .in_ready_o (received_ready),
      .in_sop_i   (completion_sop_o),
      .in_eop_i   (completion_eop_o),
      .select_i   (below),
      .out_valid_o(completion_valid_o),
      .out_ready_i(completion_ready_i)
  );

  assign stat_completion_unexpected_o = received_valid && completion_sop_o && received_ready && !below;

endmodule
`default_nettype wire
