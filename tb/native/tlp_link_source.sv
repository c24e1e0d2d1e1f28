// Sender side of a TLP link: presents the beats of the native source `LINK` and obeys the receiver's credits. What means nothing
// (everything while not valid; header and prefix after the first beat) is driven with values that would mean something else.
module tlp_link_source #(
    parameter int DATA_W = 256,   // 128, 256 or 512
    parameter int LINK   = 0      // link number in the event log
) (
    input  bit                          clk_i,
    input  bit                          rst_i,
    input  bit                          link_up_i,
    input  bit [63:0]                   cycle_i,
    output bit                          valid_o,
    input  logic                        ready_i,
    output bit                          sop_o,
    output bit                          eop_o,
    output bit [DATA_W-1:0]             data_o,
    output bit [$clog2(DATA_W/32)-1:0]  empty_o,
    output bit [127:0]                  hdr_o,
    output bit [31:0]                   prefix_o,
    output bit                          prefix_valid_o,
    output bit                          err_o,
    input  logic [59:0]                 credit_limit_i,
    input  logic [5:0]                  credit_infinite_i
);
  import "DPI-C" context function int sluicegate_source_beat(
      input longint cycle, input int link, input int data_bytes, input bit [59:0] credit_limit, input int credit_infinite,
      output bit [511:0] data, output bit [127:0] header, output int prefix);

  bit [511:0] data;
  bit [127:0] header;
  int prefix;
  int control;

  // A header of another class: of a completion, or of a write.
  function automatic bit [127:0] other(input bit [127:0] header);
    return {header[127:120] == 8'h4A ? 8'h40 : 8'h4A, ~header[119:0]};
  endfunction

  always @(posedge clk_i) begin
    if (rst_i || !link_up_i) begin
      valid_o <= 1'b0;
    end else if (!valid_o || ready_i) begin
      control = sluicegate_source_beat(cycle_i, LINK, DATA_W / 8, credit_limit_i, 32'(credit_infinite_i), data, header, prefix);
      valid_o <= control[0];
      if (control[0]) begin
        sop_o <= control[1];
        eop_o <= control[2];
        err_o <= control[3];
        prefix_valid_o <= control[4];
        empty_o <= control[8+:$clog2(DATA_W/32)];
        data_o <= data[DATA_W-1:0];
        hdr_o <= control[1] ? header : other(header);
        prefix_o <= prefix;
        if (!control[1]) prefix_valid_o <= 1'b1;
      end else begin
        sop_o <= 1'b1;
        eop_o <= 1'b1;
        err_o <= 1'b1;
        prefix_valid_o <= 1'b1;
        hdr_o <= other(hdr_o);
      end
    end
  end
endmodule
