// Behavioural sender of a TLP link for the bench: random TLPs, random gaps, its own credit arithmetic (integers, not modulo).
// The number of a TLP is in header DW2, payload DW i is number * 4099 + i. What was presented is reported at eop.
`timescale 1ns / 1ps
module link_sender #(
    parameter int DATA_W = 512,
    parameter int EMPTY_W = $clog2(DATA_W / 32),
    // Index of the source, in DW1[31:28], and TLPs to send.
    parameter int SOURCE = 0,
    parameter int COUNT = 1000
) (
    input  logic               clk,
    input  logic               rst,
    input  logic               link_up,
    // 0: random classes, lengths and gaps; 1: full single-beat memory writes without gaps.
    input  logic               full_rate,
    input  int                 seed,

    output logic               valid,
    input  logic               ready,
    output logic               sop,
    output logic               eop,
    output logic [DATA_W-1:0]  data,
    output logic [EMPTY_W-1:0] empty,
    output logic [127:0]       hdr,
    output logic [31:0]        prefix,
    output logic               prefix_valid,
    output logic               err,
    input  logic [59:0]        credit_limit,

    output int                 sent
);

  localparam int DWORDS = DATA_W / 32;

  int random_state;
  int remaining, index, length;
  bit active;
  logic [127:0] next_header;
  // Cumulative grants as integers, PH PD NPH NPD CPLH CPLD.
  int granted [6];
  int consumed [6];
  logic [59:0] limit_seen;
  bit limit_known;

  function automatic int draw(input int bound);
    random_state = random_state * 1103515245 + 12345;
    return int'((unsigned'(random_state) >> 8) % unsigned'(bound));
  endfunction

  function automatic int class_of(input logic [127:0] h);
    if (h[124:120] == 5'b01010) return 2;
    if (h[126] && h[124:120] == 5'b00000) return 0;
    return 1;
  endfunction

  function automatic logic [127:0] make(input int number);
    logic [127:0] h;
    logic [7:0] fmt_type;
    int dwords;
    dwords = 1 + draw(draw(4) == 0 ? 64 : DWORDS);
    case (full_rate ? 0 : draw(5))
      0, 1: fmt_type = 8'h60;
      2: fmt_type = 8'h20;
      3: begin fmt_type = 8'h6C; dwords = 1 + draw(2); end
      default: begin fmt_type = draw(3) == 0 ? 8'h0A : 8'h4A; if (fmt_type == 8'h0A) dwords = 0; end
    endcase
    if (full_rate) dwords = DWORDS;
    h = '0;
    h[127:120] = fmt_type;
    h[105:96] = 10'(dwords);
    if (!full_rate) begin
      h[109] = draw(4) == 0;  // RO
      h[114] = draw(4) == 0;  // IDO
    end
    h[95:92] = 4'(SOURCE);
    h[80] = draw(3) == 0;  // two requesters a source
    h[63:32] = 32'(number);
    return h;
  endfunction

  function automatic int credits(input logic [127:0] h);
    return h[126] ? (int'(h[105:96]) + 3) / 4 : 0;
  endfunction

  function automatic bit has_credit(input logic [127:0] h);
    int c = class_of(h);
    return consumed[c*2] + 1 <= granted[c*2] && consumed[c*2+1] + credits(h) <= granted[c*2+1];
  endfunction

  task automatic present_beat();
    valid <= 1;
    sop <= index == 0;
    eop <= remaining <= DWORDS;
    hdr <= index == 0 ? next_header : {4{32'hdeadbeef}};
    prefix <= {8'h91, 4'd0, next_header[51:32]};
    prefix_valid <= index == 0 && next_header[32];
    err <= remaining <= DWORDS && next_header[40:36] == 5'd7;
    empty <= (remaining == 0 || remaining > DWORDS) ? '0 : EMPTY_W'(DWORDS - remaining);
    for (int i = 0; i < DWORDS; i++)
      data[i*32+:32] <= i < remaining ? next_header[63:32] * 32'd4099 + 32'(index + i) : 32'hbadbad00;
  endtask

  always @(posedge clk) begin
    if (rst) begin
      random_state = seed + SOURCE * 7919;
      valid <= 0; sent <= 0; active = 0; remaining = 0; limit_known = 0;
      for (int k = 0; k < 6; k++) begin granted[k] = 0; consumed[k] = 0; end
      next_header = make(0);
    end else if (!link_up) begin
      // The receiver grants anew at link-up; a TLP that was cut off is sent again.
      valid <= 0;
      active = 0;
      limit_known = 0;
      for (int k = 0; k < 6; k++) begin granted[k] = 0; consumed[k] = 0; end
    end else begin
      for (int k = 0; k < 6; k++) begin
        automatic int low = (k / 2) * 20 + (k % 2) * 8;
        automatic int mask = k % 2 == 0 ? 255 : 4095;
        automatic int now = int'(credit_limit >> low) & mask;
        automatic int earlier = limit_known ? int'(limit_seen >> low) & mask : 0;
        granted[k] += (now - earlier) & mask;
      end
      limit_seen = credit_limit;
      limit_known = 1;
      if (valid && ready) begin
        valid <= 0;
        if (eop) begin
          sent <= sent + 1;
          active = 0;
          next_header = make(sent + 1);
        end
      end
      if (!valid || ready) begin
        if (active) begin
          if (full_rate || draw(4) != 0) begin
            present_beat();
            index += DWORDS;
            remaining -= DWORDS;
          end
        end else if (sent + ((valid && ready && eop) ? 1 : 0) < COUNT && has_credit(next_header) && (full_rate || draw(4) != 0)) begin
          automatic int c = class_of(next_header);
          consumed[c*2] += 1;
          consumed[c*2+1] += credits(next_header);
          index = 0;
          remaining = next_header[126] ? int'(next_header[105:96]) : 0;
          active = remaining > DWORDS;
          present_beat();
          index = DWORDS;
          remaining -= DWORDS;
        end
      end
    end
  end

endmodule
