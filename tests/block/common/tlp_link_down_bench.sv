// Bench of link-down: behavioural sender -> receive buffer -> transmit arbiter -> receive buffer, both links going down and up at
// random. What arrives without `err` is whole and in order, only TLPs that were on the second link are lost, and no credit is.
`timescale 1ns / 1ps
module tlp_link_down_bench #(
    parameter int DATA_W = 256,
    parameter int COUNT = 20000
) (
    input  logic clk,
    input  logic rst,
    input  int   seed,
    output logic done,
    output int   errors,
    output int   received,   // whole TLPs, each number once
    output int   cut_off,    // TLPs that ended with `err` although they were sent without
    output int   lost,       // numbers that never arrived whole
    output int   downs       // times that the second link went down
);

  localparam int EMPTY_W = $clog2(DATA_W / 32);
  localparam int DWORDS = DATA_W / 32;

  int random_state;
  int sent;
  logic [1:0] link_up;
  int phase_left [2];

  logic valid, ready, sop, eop, prefix_valid, err;
  logic [DATA_W-1:0] data;
  logic [EMPTY_W-1:0] empty;
  logic [127:0] hdr;
  logic [31:0] prefix;
  logic [59:0] credit_limit;
  logic [5:0] unused_infinite;

  link_sender #(.DATA_W(DATA_W), .SOURCE(0), .COUNT(COUNT)) u_sender (
      .clk, .rst, .link_up(link_up[0]), .full_rate(1'b0), .seed,
      .valid, .ready, .sop, .eop, .data, .empty, .hdr, .prefix, .prefix_valid, .err, .credit_limit, .sent
  );

  logic [2:0] s_valid, s_ready, s_sop, s_eop, s_prefix_valid, s_err;
  logic [3*DATA_W-1:0] s_data;
  logic [3*EMPTY_W-1:0] s_empty;
  logic [3*128-1:0] s_hdr;
  logic [3*32-1:0] s_prefix;

  tlp_receive_buffer #(
      .DATA_W(DATA_W), .POSTED_HEADERS(8), .POSTED_DATA(32), .NONPOSTED_HEADERS(6), .NONPOSTED_DATA(4),
      .COMPLETION_HEADERS(7), .COMPLETION_DATA(40)
  ) u_first (
      .clk_i(clk), .rst_i(rst), .link_up_i(link_up[0]),
      .rx_valid_i(valid), .rx_ready_o(ready), .rx_sop_i(sop), .rx_eop_i(eop), .rx_data_i(data), .rx_empty_i(empty),
      .rx_hdr_i(hdr), .rx_prefix_i(prefix), .rx_prefix_valid_i(prefix_valid), .rx_err_i(err),
      .rx_credit_limit_o(credit_limit), .rx_credit_infinite_o(unused_infinite),
      .posted_valid_o(s_valid[0]), .posted_ready_i(s_ready[0]), .posted_sop_o(s_sop[0]), .posted_eop_o(s_eop[0]),
      .posted_data_o(s_data[0+:DATA_W]), .posted_empty_o(s_empty[0+:EMPTY_W]), .posted_hdr_o(s_hdr[0+:128]),
      .posted_prefix_o(s_prefix[0+:32]), .posted_prefix_valid_o(s_prefix_valid[0]), .posted_err_o(s_err[0]),
      .nonposted_valid_o(s_valid[1]), .nonposted_ready_i(s_ready[1]), .nonposted_sop_o(s_sop[1]), .nonposted_eop_o(s_eop[1]),
      .nonposted_data_o(s_data[DATA_W+:DATA_W]), .nonposted_empty_o(s_empty[EMPTY_W+:EMPTY_W]),
      .nonposted_hdr_o(s_hdr[128+:128]), .nonposted_prefix_o(s_prefix[32+:32]),
      .nonposted_prefix_valid_o(s_prefix_valid[1]), .nonposted_err_o(s_err[1]),
      .completion_valid_o(s_valid[2]), .completion_ready_i(s_ready[2]), .completion_sop_o(s_sop[2]), .completion_eop_o(s_eop[2]),
      .completion_data_o(s_data[2*DATA_W+:DATA_W]), .completion_empty_o(s_empty[2*EMPTY_W+:EMPTY_W]),
      .completion_hdr_o(s_hdr[2*128+:128]), .completion_prefix_o(s_prefix[2*32+:32]),
      .completion_prefix_valid_o(s_prefix_valid[2]), .completion_err_o(s_err[2])
  );

  logic m_valid, m_ready, m_sop, m_eop, m_prefix_valid, m_err, buffer_ready, stall;
  logic [DATA_W-1:0] m_data;
  logic [EMPTY_W-1:0] m_empty;
  logic [127:0] m_hdr;
  logic [31:0] m_prefix;
  logic [59:0] m_credit_limit;
  logic [5:0] m_credit_infinite;

  assign m_ready = buffer_ready && !stall;

  tlp_transmit_arbiter #(.DATA_W(DATA_W), .SOURCES(1)) u_arbiter (
      .clk_i(clk), .rst_i(rst), .link_up_i(link_up[1]),
      .in_valid_i(s_valid), .in_ready_o(s_ready), .in_sop_i(s_sop), .in_eop_i(s_eop), .in_data_i(s_data), .in_empty_i(s_empty),
      .in_hdr_i(s_hdr), .in_prefix_i(s_prefix), .in_prefix_valid_i(s_prefix_valid), .in_err_i(s_err),
      .tx_valid_o(m_valid), .tx_ready_i(m_ready), .tx_sop_o(m_sop), .tx_eop_o(m_eop), .tx_data_o(m_data), .tx_empty_o(m_empty),
      .tx_hdr_o(m_hdr), .tx_prefix_o(m_prefix), .tx_prefix_valid_o(m_prefix_valid), .tx_err_o(m_err),
      .tx_credit_limit_i(m_credit_limit), .tx_credit_infinite_i(m_credit_infinite)
  );

  logic [2:0] r_valid, r_sop, r_eop, r_prefix_valid, r_err;
  logic [3*DATA_W-1:0] r_data;
  logic [3*EMPTY_W-1:0] r_empty;
  logic [3*128-1:0] r_hdr;
  logic [3*32-1:0] r_prefix;

  tlp_receive_buffer #(
      .DATA_W(DATA_W), .POSTED_HEADERS(8), .POSTED_DATA(32), .NONPOSTED_HEADERS(6), .NONPOSTED_DATA(4),
      .COMPLETION_HEADERS(7), .COMPLETION_DATA(40)
  ) u_second (
      .clk_i(clk), .rst_i(rst), .link_up_i(link_up[1]),
      .rx_valid_i(m_valid && !stall), .rx_ready_o(buffer_ready), .rx_sop_i(m_sop), .rx_eop_i(m_eop), .rx_data_i(m_data),
      .rx_empty_i(m_empty), .rx_hdr_i(m_hdr), .rx_prefix_i(m_prefix), .rx_prefix_valid_i(m_prefix_valid), .rx_err_i(m_err),
      .rx_credit_limit_o(m_credit_limit), .rx_credit_infinite_o(m_credit_infinite),
      .posted_valid_o(r_valid[0]), .posted_ready_i(1'b1), .posted_sop_o(r_sop[0]), .posted_eop_o(r_eop[0]),
      .posted_data_o(r_data[0+:DATA_W]), .posted_empty_o(r_empty[0+:EMPTY_W]), .posted_hdr_o(r_hdr[0+:128]),
      .posted_prefix_o(r_prefix[0+:32]), .posted_prefix_valid_o(r_prefix_valid[0]), .posted_err_o(r_err[0]),
      .nonposted_valid_o(r_valid[1]), .nonposted_ready_i(1'b1), .nonposted_sop_o(r_sop[1]), .nonposted_eop_o(r_eop[1]),
      .nonposted_data_o(r_data[DATA_W+:DATA_W]), .nonposted_empty_o(r_empty[EMPTY_W+:EMPTY_W]),
      .nonposted_hdr_o(r_hdr[128+:128]), .nonposted_prefix_o(r_prefix[32+:32]),
      .nonposted_prefix_valid_o(r_prefix_valid[1]), .nonposted_err_o(r_err[1]),
      .completion_valid_o(r_valid[2]), .completion_ready_i(1'b1), .completion_sop_o(r_sop[2]), .completion_eop_o(r_eop[2]),
      .completion_data_o(r_data[2*DATA_W+:DATA_W]), .completion_empty_o(r_empty[2*EMPTY_W+:EMPTY_W]),
      .completion_hdr_o(r_hdr[2*128+:128]), .completion_prefix_o(r_prefix[2*32+:32]),
      .completion_prefix_valid_o(r_prefix_valid[2]), .completion_err_o(r_err[2])
  );

  function automatic int draw(input int bound);
    random_state = random_state * 1103515245 + 12345;
    return int'((unsigned'(random_state) >> 8) % unsigned'(bound));
  endfunction

  task automatic fail(input string text);
    errors = errors + 1;
    if (errors < 10) $display("tlp_link_down_bench: %s", text);
  endtask

  // Per class: the TLP on its way out, beats of it that were right so far, and the last whole one.
  int index [3];
  bit right [3];
  int last [3];
  bit arrived [COUNT];
  int quiet;

  always @(posedge clk) begin
    if (rst) begin
      random_state = seed;
      link_up <= 2'b00;
      stall <= 0;
      errors = 0; received = 0; cut_off = 0; downs = 0; quiet = 0;
      for (int c = 0; c < 3; c++) last[c] = -1;
      for (int k = 0; k < 2; k++) phase_left[k] = 10;
      for (int n = 0; n < COUNT; n++) arrived[n] = 0;
    end else begin
      stall <= draw(4) == 0;
      for (int k = 0; k < 2; k++) begin
        phase_left[k]--;
        if (phase_left[k] == 0) begin
          // Both links stay up once everything was sent.
          link_up[k] <= sent == COUNT || !link_up[k];
          if (k == 1 && link_up[1] && sent != COUNT) downs++;
          phase_left[k] = link_up[k] ? 1 + draw(10) : 1 + draw(400);
        end
      end
      for (int c = 0; c < 3; c++) begin
        if (r_valid[c]) begin
          automatic logic [127:0] h = r_hdr[c*128+:128];
          automatic int number = int'(h[63:32]);
          automatic int dwords = h[126] ? int'(h[105:96]) : 0;
          if (r_sop[c]) begin index[c] = 0; right[c] = 1; end
          for (int i = 0; i < DWORDS; i++)
            if (index[c] + i < dwords && r_data[c*DATA_W+i*32+:32] != h[63:32] * 32'd4099 + 32'(index[c] + i)) right[c] = 0;
          index[c] += DWORDS;
          if (r_eop[c]) begin
            // The sender nullifies TLPs with these numbers itself.
            if (r_err[c]) cut_off += h[40:36] != 5'd7;
            else begin
              if (!right[c] || index[c] < dwords) fail($sformatf("class %0d TLP %0d is damaged without err", c, number));
              if (number <= last[c]) fail($sformatf("class %0d TLP %0d came after %0d", c, number, last[c]));
            end
            if (!r_err[c] || (h[40:36] == 5'd7 && index[c] >= dwords)) begin
              last[c] = number;
              // A TLP that its sender nullifies may be cut off at its end and sent again: both ends look alike.
              if (number < COUNT && !arrived[number]) begin
                received++;
                arrived[number] = 1;
              end
            end
          end
        end
      end
      quiet = (sent == COUNT && r_valid == '0) ? quiet + 1 : 0;
      if (quiet == 2000) begin
        lost = 0;
        for (int n = 0; n < COUNT; n++) if (!arrived[n]) lost++;
      end
    end
  end

  assign done = quiet > 2000;

endmodule
