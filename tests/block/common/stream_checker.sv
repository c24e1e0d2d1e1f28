// Checks the three class streams that come out at the end of the bench against the TLPs the senders made: content, order inside a class,
// and that no non-posted TLP or completion passes a posted one of its source that it may not pass (PCIe ordering table).
`timescale 1ns / 1ps
module stream_checker #(
    parameter int DATA_W = 512,
    parameter int EMPTY_W = $clog2(DATA_W / 32),
    parameter int SOURCES = 2,
    // TLPs of a source.
    parameter int COUNT = 1000
) (
    input logic               clk,
    input logic               rst,

    // TLPs accepted from the senders (sop beats), one bit a source.
    input logic [SOURCES-1:0]     made,
    input logic [SOURCES*128-1:0] made_hdr,

    // Beats that leave, index = class.
    input logic [2:0]           beat,
    input logic [2:0]           sop,
    input logic [2:0]           eop,
    input logic [3*DATA_W-1:0]  data,
    input logic [3*EMPTY_W-1:0] empty,
    input logic [3*128-1:0]     hdr,
    input logic [3*32-1:0]      prefix,
    input logic [2:0]           prefix_valid,
    input logic [2:0]           err,

    output int received,
    output int passed,   // TLPs that overtook an older posted one, allowed by RO or IDO
    output int errors
);

  localparam int DWORDS = DATA_W / 32;

  // Headers by source and number; TLPs sent by each source; lowest number not yet seen in each class; lowest posted not yet gone.
  logic [127:0] sent_header [SOURCES*COUNT];
  int sent [SOURCES];
  int next [SOURCES*3];
  int posted [SOURCES];
  logic [127:0] current [3];
  int index [3];

  function automatic int class_of(input logic [127:0] h);
    if (h[124:120] == 5'b01010) return 2;
    if (h[126] && h[124:120] == 5'b00000) return 0;
    return 1;
  endfunction

  // Lowest number from `number` on that source s sent in class c, or the count of TLPs sent.
  function automatic int following(input int s, input int c, input int number);
    int n = number;
    while (n < sent[s] && class_of(sent_header[s*COUNT+n]) != c) n++;
    return n;
  endfunction

  task automatic fail(input string text);
    errors = errors + 1;
    if (errors < 10) $display("stream_checker: %s", text);
  endtask

  always @(posedge clk) begin
    if (rst) begin
      received <= 0; passed = 0; errors = 0;
      for (int s = 0; s < SOURCES; s++) begin
        sent[s] = 0;
        posted[s] = 0;
        for (int c = 0; c < 3; c++) next[s*3+c] = 0;
      end
    end else begin
      automatic int gone = 0;
      for (int s = 0; s < SOURCES; s++) begin
        if (made[s]) begin
          sent_header[s*COUNT+sent[s]] = made_hdr[s*128+:128];
          sent[s] = sent[s] + 1;
        end
      end
      // Classes 1 and 2 first: a posted TLP that ends in this cycle has not left before them.
      for (int c = 2; c >= 0; c--) begin
        if (beat[c]) begin
          automatic logic [127:0] h = hdr[c*128+:128];
          automatic int s = int'(h[95:92]);
          automatic int dwords;
          if (sop[c]) begin
            next[s*3+c] = following(s, c, next[s*3+c]);
            if (next[s*3+c] == sent[s]) fail($sformatf("class %0d: TLP nobody sent", c));
            else if (sent_header[s*COUNT+next[s*3+c]] != h)
              fail($sformatf("class %0d: header %h expected %h", c, h, sent_header[s*COUNT+next[s*3+c]]));
            next[s*3+c] = next[s*3+c] + 1;
            if (prefix_valid[c] != h[32] || (h[32] && prefix[c*32+:32] != {8'h91, 4'd0, h[51:32]})) fail("prefix");
            current[c] = h;
            index[c] = 0;
            if (c != 0) begin
              automatic bit over = 0;
              for (int n = following(s, 0, posted[s]); n < int'(h[63:32]); n = following(s, 0, n + 1)) begin
                automatic bit relaxed = h[109] && (c == 2 || h[126]);
                automatic logic [127:0] older = sent_header[s*COUNT+n];
                over = 1;
                if (!relaxed && !(h[114] && older[95:80] != h[95:80]))
                  fail($sformatf("class %0d TLP %0d passed posted %0d", c, h[63:32], n));
              end
              if (over) passed = passed + 1;
            end
          end
          h = current[c];
          s = int'(h[95:92]);
          dwords = h[126] ? int'(h[105:96]) : 0;
          for (int i = 0; i < DWORDS; i++)
            if (index[c] + i < dwords && data[c*DATA_W+i*32+:32] != h[63:32] * 32'd4099 + 32'(index[c] + i)) fail("payload");
          index[c] += DWORDS;
          if (eop[c] != (index[c] >= dwords)) fail("eop");
          if (eop[c] && err[c] != (h[40:36] == 5'd7)) fail("err");
          if (eop[c] && dwords != 0 && int'(empty[c*EMPTY_W+:EMPTY_W]) != index[c] - dwords) fail("empty");
          if (eop[c]) begin
            gone = gone + 1;
            if (c == 0) posted[s] = int'(h[63:32]) + 1;
          end
        end
      end
      received <= received + gone;
    end
  end

endmodule
