// Bench of the TLP building blocks: two behavioural senders -> receive buffers -> transmit arbiter -> receive buffer -> checker,
// with random stalls everywhere and few credits, so that every class runs out of them.
`timescale 1ns / 1ps
module tlp_link_bench #(
    parameter int DATA_W = 256,
    parameter int COUNT = 4000
) (
    input  logic clk,
    input  logic rst,
    input  logic full_rate,
    input  int   seed,
    output logic done,
    output int   errors,
    output int   received,
    output int   passed,
    output int   idle_cycles,  // cycles without a beat on the merged link between its first and last beat
    output int   imbalance     // largest difference between the sources in TLPs that left, while both still send
);

  localparam int EMPTY_W = $clog2(DATA_W / 32);
  localparam int SOURCES = 2;

  int sent [SOURCES];
  logic [SOURCES-1:0]     made;
  logic [SOURCES*128-1:0] made_hdr;
  int random_state;
  logic [2:0] sink_ready;
  logic merged_ready;

  logic [SOURCES*3-1:0]         stream_valid, stream_ready, stream_sop, stream_eop, stream_prefix_valid, stream_err;
  logic [SOURCES*3*DATA_W-1:0]  stream_data;
  logic [SOURCES*3*EMPTY_W-1:0] stream_empty;
  logic [SOURCES*3*128-1:0]     stream_hdr;
  logic [SOURCES*3*32-1:0]      stream_prefix;

  for (genvar s = 0; s < SOURCES; s++) begin : g_source
    logic valid, ready, sop, eop, prefix_valid, err;
    logic [DATA_W-1:0] data;
    logic [EMPTY_W-1:0] empty;
    logic [127:0] hdr;
    logic [31:0] prefix;
    logic [59:0] credit_limit;
    logic [5:0] unused_infinite;

    link_sender #(.DATA_W(DATA_W), .SOURCE(s), .COUNT(COUNT)) u_sender (
        .clk, .rst, .link_up(1'b1), .full_rate, .seed,
        .valid, .ready, .sop, .eop, .data, .empty, .hdr, .prefix, .prefix_valid, .err, .credit_limit, .sent(sent[s])
    );
    assign made[s] = valid && ready && sop;
    assign made_hdr[s*128+:128] = hdr;

    tlp_receive_buffer #(
        .DATA_W(DATA_W), .POSTED_HEADERS(8), .POSTED_DATA(32), .NONPOSTED_HEADERS(6), .NONPOSTED_DATA(4),
        .COMPLETION_HEADERS(7), .COMPLETION_DATA(40)
    ) u_buffer (
        .clk_i(clk), .rst_i(rst), .link_up_i(1'b1),
        .rx_valid_i(valid), .rx_ready_o(ready), .rx_sop_i(sop), .rx_eop_i(eop), .rx_data_i(data), .rx_empty_i(empty),
        .rx_hdr_i(hdr), .rx_prefix_i(prefix), .rx_prefix_valid_i(prefix_valid), .rx_err_i(err),
        .rx_credit_limit_o(credit_limit), .rx_credit_infinite_o(unused_infinite),
        .posted_valid_o(stream_valid[s*3]), .posted_ready_i(stream_ready[s*3]),
        .posted_sop_o(stream_sop[s*3]), .posted_eop_o(stream_eop[s*3]),
        .posted_data_o(stream_data[s*3*DATA_W+:DATA_W]), .posted_empty_o(stream_empty[s*3*EMPTY_W+:EMPTY_W]),
        .posted_hdr_o(stream_hdr[s*3*128+:128]), .posted_prefix_o(stream_prefix[s*3*32+:32]),
        .posted_prefix_valid_o(stream_prefix_valid[s*3]), .posted_err_o(stream_err[s*3]),
        .nonposted_valid_o(stream_valid[s*3+1]), .nonposted_ready_i(stream_ready[s*3+1]),
        .nonposted_sop_o(stream_sop[s*3+1]), .nonposted_eop_o(stream_eop[s*3+1]),
        .nonposted_data_o(stream_data[(s*3+1)*DATA_W+:DATA_W]), .nonposted_empty_o(stream_empty[(s*3+1)*EMPTY_W+:EMPTY_W]),
        .nonposted_hdr_o(stream_hdr[(s*3+1)*128+:128]), .nonposted_prefix_o(stream_prefix[(s*3+1)*32+:32]),
        .nonposted_prefix_valid_o(stream_prefix_valid[s*3+1]), .nonposted_err_o(stream_err[s*3+1]),
        .completion_valid_o(stream_valid[s*3+2]), .completion_ready_i(stream_ready[s*3+2]),
        .completion_sop_o(stream_sop[s*3+2]), .completion_eop_o(stream_eop[s*3+2]),
        .completion_data_o(stream_data[(s*3+2)*DATA_W+:DATA_W]), .completion_empty_o(stream_empty[(s*3+2)*EMPTY_W+:EMPTY_W]),
        .completion_hdr_o(stream_hdr[(s*3+2)*128+:128]), .completion_prefix_o(stream_prefix[(s*3+2)*32+:32]),
        .completion_prefix_valid_o(stream_prefix_valid[s*3+2]), .completion_err_o(stream_err[s*3+2])
    );
  end

  logic valid, ready, sop, eop, prefix_valid, err, buffer_ready;
  logic [DATA_W-1:0] data;
  logic [EMPTY_W-1:0] empty;
  logic [127:0] hdr;
  logic [31:0] prefix;
  logic [59:0] credit_limit;
  logic [5:0] credit_infinite;

  tlp_transmit_arbiter #(.DATA_W(DATA_W), .SOURCES(SOURCES)) u_arbiter (
      .clk_i(clk), .rst_i(rst), .link_up_i(1'b1),
      .in_valid_i(stream_valid), .in_ready_o(stream_ready), .in_sop_i(stream_sop), .in_eop_i(stream_eop), .in_data_i(stream_data),
      .in_empty_i(stream_empty), .in_hdr_i(stream_hdr), .in_prefix_i(stream_prefix), .in_prefix_valid_i(stream_prefix_valid),
      .in_err_i(stream_err),
      .tx_valid_o(valid), .tx_ready_i(ready), .tx_sop_o(sop), .tx_eop_o(eop), .tx_data_o(data), .tx_empty_o(empty),
      .tx_hdr_o(hdr), .tx_prefix_o(prefix), .tx_prefix_valid_o(prefix_valid), .tx_err_o(err),
      .tx_credit_limit_i(credit_limit), .tx_credit_infinite_i(credit_infinite)
  );

  // The link itself stalls too: the receive buffer never does.
  assign ready = merged_ready && buffer_ready;

  logic [2:0] out_valid, out_sop, out_eop, out_prefix_valid, out_err;
  logic [3*DATA_W-1:0] out_data;
  logic [3*EMPTY_W-1:0] out_empty;
  logic [3*128-1:0] out_hdr;
  logic [3*32-1:0] out_prefix;

  tlp_receive_buffer #(
      .DATA_W(DATA_W), .POSTED_HEADERS(9), .POSTED_DATA(48), .NONPOSTED_HEADERS(5), .NONPOSTED_DATA(2),
      .COMPLETION_HEADERS(6), .COMPLETION_DATA(24)
  ) u_buffer (
      .clk_i(clk), .rst_i(rst), .link_up_i(1'b1),
      .rx_valid_i(valid && merged_ready), .rx_ready_o(buffer_ready), .rx_sop_i(sop), .rx_eop_i(eop), .rx_data_i(data),
      .rx_empty_i(empty), .rx_hdr_i(hdr), .rx_prefix_i(prefix), .rx_prefix_valid_i(prefix_valid), .rx_err_i(err),
      .rx_credit_limit_o(credit_limit), .rx_credit_infinite_o(credit_infinite),
      .posted_valid_o(out_valid[0]), .posted_ready_i(sink_ready[0]), .posted_sop_o(out_sop[0]), .posted_eop_o(out_eop[0]),
      .posted_data_o(out_data[0+:DATA_W]), .posted_empty_o(out_empty[0+:EMPTY_W]), .posted_hdr_o(out_hdr[0+:128]),
      .posted_prefix_o(out_prefix[0+:32]), .posted_prefix_valid_o(out_prefix_valid[0]), .posted_err_o(out_err[0]),
      .nonposted_valid_o(out_valid[1]), .nonposted_ready_i(sink_ready[1]), .nonposted_sop_o(out_sop[1]),
      .nonposted_eop_o(out_eop[1]), .nonposted_data_o(out_data[DATA_W+:DATA_W]),
      .nonposted_empty_o(out_empty[EMPTY_W+:EMPTY_W]), .nonposted_hdr_o(out_hdr[128+:128]),
      .nonposted_prefix_o(out_prefix[32+:32]), .nonposted_prefix_valid_o(out_prefix_valid[1]), .nonposted_err_o(out_err[1]),
      .completion_valid_o(out_valid[2]), .completion_ready_i(sink_ready[2]), .completion_sop_o(out_sop[2]),
      .completion_eop_o(out_eop[2]), .completion_data_o(out_data[2*DATA_W+:DATA_W]),
      .completion_empty_o(out_empty[2*EMPTY_W+:EMPTY_W]), .completion_hdr_o(out_hdr[2*128+:128]),
      .completion_prefix_o(out_prefix[2*32+:32]), .completion_prefix_valid_o(out_prefix_valid[2]),
      .completion_err_o(out_err[2])
  );

  stream_checker #(.DATA_W(DATA_W), .SOURCES(SOURCES), .COUNT(COUNT)) u_checker (
      .clk, .rst, .made, .made_hdr, .beat(out_valid & sink_ready), .sop(out_sop), .eop(out_eop), .data(out_data),
      .empty(out_empty), .hdr(out_hdr), .prefix(out_prefix), .prefix_valid(out_prefix_valid), .err(out_err),
      .received, .passed, .errors
  );

  // Stalls: each sink is open or shut for runs of cycles, so that single classes starve while the others flow.
  int phase_left [3];
  bit started;
  int gap;
  int left [SOURCES];

  function automatic int draw(input int bound);
    random_state = random_state * 1103515245 + 12345;
    return int'((unsigned'(random_state) >> 8) % unsigned'(bound));
  endfunction

  always @(posedge clk) begin
    if (rst) begin
      random_state = seed ^ 32'h5eed;
      sink_ready <= '0;
      merged_ready <= 0;
      idle_cycles <= 0;
      started <= 0;
      gap <= 0;
      imbalance <= 0;
      for (int k = 0; k < SOURCES; k++) left[k] = 0;
      for (int c = 0; c < 3; c++) phase_left[c] = 0;
    end else begin
      merged_ready <= full_rate || draw(8) != 0;
      for (int c = 0; c < 3; c++) begin
        if (phase_left[c] == 0) begin
          phase_left[c] = draw(4) == 0 ? 200 : 20;
          sink_ready[c] <= full_rate || !sink_ready[c];
        end
        phase_left[c] = phase_left[c] - 1;
      end
      if (valid && ready) begin
        started <= 1;
        gap <= 0;
        idle_cycles <= idle_cycles + gap;
        if (sop) begin
          automatic int difference;
          left[int'(hdr[95:92])]++;
          difference = left[0] > left[1] ? left[0] - left[1] : left[1] - left[0];
          if (left[0] < COUNT - 1 && left[1] < COUNT - 1 && difference > imbalance) imbalance <= difference;
        end
      end else if (started) gap <= gap + 1;
    end
  end

  assign done = received == SOURCES * COUNT && sent[0] == COUNT && sent[1] == COUNT;

endmodule
