// Watches one direction of a TLP link: every beat that moves goes to the native monitor `LINK`, which rebuilds and logs TLPs;
// stability of a waiting beat is checked here (docs/interfaces.md section 1). When nothing has moved for QuietCycles, neither a beat
// nor a credit, the monitor is told, so that it can say what the receiver has not returned.
module tlp_link_monitor #(
    parameter int DATA_W = 256,   // 128, 256 or 512
    parameter int LINK   = 0      // link number in the event log
) (
    input bit                           clk_i,
    input logic                         rst_i,
    input logic                         link_up_i,
    input bit [63:0]                    cycle_i,
    input logic                         valid_i,
    input logic                         ready_i,
    input logic                         sop_i,
    input logic                         eop_i,
    input logic [DATA_W-1:0]            data_i,
    input logic [$clog2(DATA_W/32)-1:0] empty_i,
    input logic [127:0]                 hdr_i,
    input logic [31:0]                  prefix_i,
    input logic                         prefix_valid_i,
    input logic                         err_i,
    input logic [59:0]                  credit_limit_i,
    input logic [5:0]                   credit_infinite_i
);
  import "DPI-C" context function void sluicegate_monitor_beat(
      input longint cycle, input int link, input int data_bytes, input int control, input bit [511:0] data, input bit [127:0] header,
      input int prefix, input bit [59:0] credit_limit, input int credit_infinite);
  import "DPI-C" context function void sluicegate_protocol_error(input longint cycle, input int link, input int rule);

  import "DPI-C" context function void sluicegate_monitor_quiet(
      input longint cycle, input int link, input bit [59:0] credit_limit, input int credit_infinite);

  localparam int QuietCycles = 255;
  localparam int RuleUnstable = 2;
  localparam int RuleSentWhileLinkDown = 7;
  localparam int EmptyW = $clog2(DATA_W / 32);
  localparam int BeatW = DATA_W + EmptyW + 128 + 32 + 4;

  // A beat as it must stay; fields that mean nothing on this beat are left out.
  wire has_data = hdr_i[126] || !sop_i;
  wire [BeatW-1:0] beat = {
    sop_i, eop_i, eop_i & err_i, sop_i & prefix_valid_i,
    sop_i ? hdr_i : 128'd0, sop_i && prefix_valid_i ? prefix_i : 32'd0,
    eop_i ? empty_i : EmptyW'(0), has_data ? data_i : DATA_W'(0)
  };
  bit waiting = 1'b0;
  bit [BeatW-1:0] waiting_beat;
  bit [7:0] quiet = 8'd0;
  bit [59:0] quiet_limit;

  always @(posedge clk_i) begin
    if (rst_i) begin
      waiting <= 1'b0;
      quiet <= 8'd0;
    end else begin
      if (valid_i || credit_limit_i != quiet_limit) quiet <= 8'd0;
      else if (quiet != 8'(QuietCycles)) quiet <= quiet + 8'd1;
      if (quiet == 8'(QuietCycles - 1)) sluicegate_monitor_quiet(cycle_i, LINK, credit_limit_i, 32'(credit_infinite_i));
      quiet_limit <= credit_limit_i;
      if (waiting && (!valid_i || beat != waiting_beat)) sluicegate_protocol_error(cycle_i, LINK, RuleUnstable);
      if (valid_i && !link_up_i) sluicegate_protocol_error(cycle_i, LINK, RuleSentWhileLinkDown);
      if (valid_i && ready_i) begin
        sluicegate_monitor_beat(
            cycle_i, LINK, DATA_W / 8,
            32'({empty_i, 3'b000, prefix_valid_i, err_i, eop_i, sop_i, 1'b1}),
            512'(data_i), hdr_i, prefix_i, credit_limit_i, 32'(credit_infinite_i));
      end
      waiting <= valid_i && !ready_i;
      if (valid_i && !ready_i) waiting_beat <= beat;
    end
  end
endmodule
