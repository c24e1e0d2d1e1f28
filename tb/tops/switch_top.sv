// Block testbench of the PCIe switch: native agents on all ports. Port 0: link 1 in (switch_down), link 0 out (switch_up);
// downstream port n: link 2n in (endpoint n-1 up), link 2n + 1 out (endpoint n-1 down).
module switch_top #(
    parameter int DATA_W           = 256,   // 128, 256 or 512
    parameter int DOWNSTREAM_PORTS = 2,     // 1..11: the log has 24 links
    parameter int CREDIT_SCALE     = 1      // divides the room of the switch's receive buffers: more = more often out of credits
) (
    input  bit          clk,
    output bit          doorbell,
    // statistics strobes of the switch, counted over all ports and classes
    output bit [31:0]   stat_forwarded,
    output bit [31:0]   stat_redirected,
    output bit [31:0]   stat_direct_peer,
    output bit [31:0]   stat_unsupported,
    output bit [31:0]   stat_acs_violation
);
  localparam int Ports  = DOWNSTREAM_PORTS + 1;
  localparam int EmptyW = $clog2(DATA_W / 32);

  bit rst;
  bit link_up;
  bit [63:0] cycle;

  simulation_control control (.clk_i(clk), .rst_o(rst), .link_up_o(link_up), .cycle_o(cycle), .doorbell_o(doorbell));

  bit   [Ports-1:0]        rx_valid, rx_sop, rx_eop, rx_prefix_valid, rx_err;
  logic [Ports-1:0]        rx_ready;
  bit   [Ports*DATA_W-1:0] rx_data;
  bit   [Ports*EmptyW-1:0] rx_empty;
  bit   [Ports*128-1:0]    rx_hdr;
  bit   [Ports*32-1:0]     rx_prefix;
  logic [Ports*60-1:0]     rx_credit_limit;
  logic [Ports*6-1:0]      rx_credit_infinite;
  logic [Ports-1:0]        tx_valid, tx_sop, tx_eop, tx_prefix_valid, tx_err;
  bit   [Ports-1:0]        tx_ready;
  logic [Ports*DATA_W-1:0] tx_data;
  logic [Ports*EmptyW-1:0] tx_empty;
  logic [Ports*128-1:0]    tx_hdr;
  logic [Ports*32-1:0]     tx_prefix;
  bit   [Ports*60-1:0]     tx_credit_limit;
  bit   [Ports*6-1:0]      tx_credit_infinite;
  logic [Ports*3-1:0]      forwarded, redirected, direct_peer, unsupported, acs_violation;

  pcie_switch #(
      .DOWNSTREAM_PORTS(DOWNSTREAM_PORTS), .DATA_W(DATA_W),
      .POSTED_HEADERS(32 / CREDIT_SCALE), .POSTED_DATA(512 / CREDIT_SCALE),
      .NONPOSTED_HEADERS(32 / CREDIT_SCALE), .NONPOSTED_DATA(64 / CREDIT_SCALE),
      .COMPLETION_HEADERS(32 / CREDIT_SCALE), .COMPLETION_DATA(512 / CREDIT_SCALE)
  ) dut (
      .clk_i(clk), .rst_i(rst), .link_up_i({Ports{link_up}}),
      .rx_valid_i(rx_valid), .rx_ready_o(rx_ready), .rx_sop_i(rx_sop), .rx_eop_i(rx_eop), .rx_data_i(rx_data), .rx_empty_i(rx_empty),
      .rx_hdr_i(rx_hdr), .rx_prefix_i(rx_prefix), .rx_prefix_valid_i(rx_prefix_valid), .rx_err_i(rx_err),
      .rx_credit_limit_o(rx_credit_limit), .rx_credit_infinite_o(rx_credit_infinite),
      .tx_valid_o(tx_valid), .tx_ready_i(tx_ready), .tx_sop_o(tx_sop), .tx_eop_o(tx_eop), .tx_data_o(tx_data), .tx_empty_o(tx_empty),
      .tx_hdr_o(tx_hdr), .tx_prefix_o(tx_prefix), .tx_prefix_valid_o(tx_prefix_valid), .tx_err_o(tx_err),
      .tx_credit_limit_i(tx_credit_limit), .tx_credit_infinite_i(tx_credit_infinite),
      .stat_forwarded_o(forwarded), .stat_redirected_o(redirected), .stat_direct_peer_o(direct_peer),
      .stat_unsupported_o(unsupported), .stat_acs_violation_o(acs_violation));

  for (genvar p = 0; p < Ports; p++) begin : g_port
    localparam int InLink  = p == 0 ? 1 : 2 * p;
    localparam int OutLink = p == 0 ? 0 : 2 * p + 1;

    tlp_link_source #(.DATA_W(DATA_W), .LINK(InLink)) source (
        .clk_i(clk), .rst_i(rst), .link_up_i(link_up), .cycle_i(cycle),
        .valid_o(rx_valid[p]), .ready_i(rx_ready[p]), .sop_o(rx_sop[p]), .eop_o(rx_eop[p]), .data_o(rx_data[p*DATA_W+:DATA_W]),
        .empty_o(rx_empty[p*EmptyW+:EmptyW]), .hdr_o(rx_hdr[p*128+:128]), .prefix_o(rx_prefix[p*32+:32]),
        .prefix_valid_o(rx_prefix_valid[p]), .err_o(rx_err[p]),
        .credit_limit_i(rx_credit_limit[p*60+:60]), .credit_infinite_i(rx_credit_infinite[p*6+:6]));

    tlp_link_monitor #(.DATA_W(DATA_W), .LINK(InLink)) in_monitor (
        .clk_i(clk), .rst_i(rst), .link_up_i(link_up), .cycle_i(cycle),
        .valid_i(rx_valid[p]), .ready_i(rx_ready[p]), .sop_i(rx_sop[p]), .eop_i(rx_eop[p]), .data_i(rx_data[p*DATA_W+:DATA_W]),
        .empty_i(rx_empty[p*EmptyW+:EmptyW]), .hdr_i(rx_hdr[p*128+:128]), .prefix_i(rx_prefix[p*32+:32]),
        .prefix_valid_i(rx_prefix_valid[p]), .err_i(rx_err[p]),
        .credit_limit_i(rx_credit_limit[p*60+:60]), .credit_infinite_i(rx_credit_infinite[p*6+:6]));

    tlp_link_sink #(.LINK(OutLink)) sink (
        .clk_i(clk), .rst_i(rst), .cycle_i(cycle), .ready_o(tx_ready[p]), .credit_limit_o(tx_credit_limit[p*60+:60]),
        .credit_infinite_o(tx_credit_infinite[p*6+:6]));

    tlp_link_monitor #(.DATA_W(DATA_W), .LINK(OutLink)) out_monitor (
        .clk_i(clk), .rst_i(rst), .link_up_i(link_up), .cycle_i(cycle),
        .valid_i(tx_valid[p]), .ready_i(tx_ready[p]), .sop_i(tx_sop[p]), .eop_i(tx_eop[p]), .data_i(tx_data[p*DATA_W+:DATA_W]),
        .empty_i(tx_empty[p*EmptyW+:EmptyW]), .hdr_i(tx_hdr[p*128+:128]), .prefix_i(tx_prefix[p*32+:32]),
        .prefix_valid_i(tx_prefix_valid[p]), .err_i(tx_err[p]),
        .credit_limit_i(tx_credit_limit[p*60+:60]), .credit_infinite_i(tx_credit_infinite[p*6+:6]));
  end

  always @(posedge clk) begin
    if (rst) begin
      stat_forwarded <= '0;
      stat_redirected <= '0;
      stat_direct_peer <= '0;
      stat_unsupported <= '0;
      stat_acs_violation <= '0;
    end else begin
      stat_forwarded <= stat_forwarded + $countones(forwarded);
      stat_redirected <= stat_redirected + $countones(redirected);
      stat_direct_peer <= stat_direct_peer + $countones(direct_peer);
      stat_unsupported <= stat_unsupported + $countones(unsupported);
      stat_acs_violation <= stat_acs_violation + $countones(acs_violation);
    end
  end
endmodule
