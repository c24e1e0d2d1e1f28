`default_nettype none
// Which released device accesses are not finished yet: the root complex's half of the IOMMU's fence (RISC-V IOMMU, IOFENCE.C
// PR and PW; docs/interfaces.md section 6).
//
// Every access whose translation came back belongs to the current generation of its kind (reads, writes). A drain closes the
// generation and is acknowledged when everything in the closed one is done: writes when the receiver behind the router has
// taken them, reads when their last completion was delivered to the link below. Atomics count as both.
// Reads that leave towards a peer are done when handed over: their completions need not come back this way.
//
// Reads out in memory are found again by requester ID and tag in a table of 1024 entries, indexed by a hash of both. A request
// that meets the entry of another one is held (`hold_o`) until that one is done; one that meets its own requester ID and tag
// replaces it: the requester has given the first up. Reads that memory never answers are given up after DRAIN_TIMEOUT cycles
// without any completion, so that a lost completion cannot stop the command queue for good.
module iommu_drain_tracker #(
    // Cycles without a delivered completion after which reads outstanding in a drain (or in the way of a held one) count as lost.
    parameter int DRAIN_TIMEOUT = 16384,
    // Writes that can be held between translation and release, at most.
    parameter int WRITES = 32
) (
    input  wire         clk_i,
    input  wire         rst_i,

    // Fence; `drain_ack_o` lasts one cycle.
    input  wire         drain_req_i,
    input  wire         drain_reads_i,
    input  wire         drain_writes_i,
    output wire         drain_ack_o,

    // Current generations {write, read}: belong to the accesses counted in this cycle.
    output wire [1:0]   generation_o,
    // A translation came back that releases a read (or atomic), a write (or atomic).
    input  wire         count_read_i,
    input  wire         count_write_i,

    // All posted TLPs that left before this cycle have been taken by their receiver (at the end of this cycle).
    input  wire         posted_settled_i,
    // A posted write counted before has left.
    input  wire         posted_released_i,
    input  wire         posted_generation_i,

    // The non-posted TLP at the door: valid, leaves in this cycle (eop taken), header, was counted, also counted as a write,
    // generations {write, read}, its completions come back through the root complex.
    input  wire         nonposted_valid_i,
    input  wire         nonposted_leaves_i,
    input  wire [127:0] nonposted_hdr_i,
    input  wire         nonposted_counted_i,
    input  wire         nonposted_atomic_i,
    input  wire [1:0]   nonposted_generation_i,
    input  wire         nonposted_returns_i,
    // 1: the TLP at the door must stay (combinational from its header; falls, never rises, while it stays).
    output wire         hold_o,

    // A completion was delivered to the link below (its eop was taken and it was not nullified), with its header.
    input  wire         delivered_i,
    input  wire [127:0] delivered_hdr_i,

    // Statistics: reads were given up as lost.
    output wire         stat_read_lost_o
);

  localparam int INDEX_W = 10;
  localparam int ENTRIES = 1 << INDEX_W;
  localparam int IDENTITY_W = 18;
  localparam int READ_COUNT_W = INDEX_W + 1;
  localparam int WRITE_COUNT_W = $clog2(2 * WRITES + 1);
  localparam int TIMER_W = $clog2(DRAIN_TIMEOUT + 1);

  // Slot of a transaction ID in the table.
  function [INDEX_W-1:0] index;
    input [1:0] bus_low;
    input [1:0] device_low;
    input [1:0] function_low;
    input [9:0] tag;
    begin
      index = {bus_low ^ device_low ^ function_low ^ tag[9:8], tag[7:0]};
    end
  endfunction

  // Reads out in memory.
  logic [ENTRIES-1:0]    outstanding_q;
  logic [ENTRIES-1:0]    entry_generation_q;
  logic [IDENTITY_W-1:0] identity_q [0:ENTRIES-1];

  // Counts per generation: reads translated but not released, reads out in memory, writes translated but not released.
  logic [READ_COUNT_W-1:0]  waiting0_d, waiting0_q, waiting1_d, waiting1_q;
  logic [READ_COUNT_W-1:0]  memory0_d, memory0_q, memory1_d, memory1_q;
  logic [WRITE_COUNT_W-1:0] writes0_d, writes0_q, writes1_d, writes1_q;

  logic               read_generation_d, read_generation_q;
  logic               write_generation_d, write_generation_q;
  logic               draining_d, draining_q;
  logic               ack_d, ack_q;
  logic [TIMER_W-1:0] timer_d, timer_q;

  // The request at the door.
  wire [15:0] request_requester = nonposted_hdr_i[95:80];
  wire [9:0]  request_tag = {nonposted_hdr_i[119], nonposted_hdr_i[115], nonposted_hdr_i[79:72]};
  wire [INDEX_W-1:0] request_index = index(request_requester[9:8], request_requester[4:3], request_requester[1:0], request_tag);
  // Requester ID, T9, T8: what the index does not say.
  wire [IDENTITY_W-1:0] request_identity = {request_requester, request_tag[9:8]};
  wire unused_request_hdr = &{1'b0, nonposted_hdr_i[127:120], nonposted_hdr_i[118:116], nonposted_hdr_i[114:96], nonposted_hdr_i[71:0]};
  wire occupied = nonposted_valid_i && nonposted_counted_i && nonposted_returns_i && outstanding_q[request_index];
  wire foreign = occupied && identity_q[request_index] != request_identity;
  wire timed_out = timer_q == TIMER_W'(DRAIN_TIMEOUT);
  wire leaves = nonposted_leaves_i && nonposted_counted_i;
  wire enters = leaves && nonposted_returns_i;
  wire replaces = enters && occupied;

  assign hold_o = foreign && !timed_out;

  // The completion delivered: the last one of its request (PCIe completion rules: an error status ends the request).
  wire [15:0] delivered_requester = delivered_hdr_i[63:48];
  wire [9:0]  delivered_tag = {delivered_hdr_i[119], delivered_hdr_i[115], delivered_hdr_i[47:40]};
  wire [INDEX_W-1:0] delivered_index = index(delivered_requester[9:8], delivered_requester[4:3], delivered_requester[1:0], delivered_tag);
  wire [12:0] delivered_left = {delivered_hdr_i[75:64] == 12'd0, delivered_hdr_i[75:64]};
  wire [12:0] delivered_here = {tlp_pkg::payload_dwords(delivered_hdr_i), 2'b00} - {11'd0, delivered_hdr_i[33:32]};
  wire delivered_last = delivered_hdr_i[79:77] != tlp_pkg::STATUS_SC || !delivered_hdr_i[126] || delivered_left <= delivered_here;
  wire finishes = delivered_i && delivered_last && outstanding_q[delivered_index] &&
      identity_q[delivered_index] == {delivered_requester, delivered_tag[9:8]} &&
      !(replaces && request_index == delivered_index);

  // Fence.
  wire closed_read = !read_generation_q;
  wire closed_write = !write_generation_q;
  wire reads_left = closed_read ? (waiting1_q != '0 || memory1_q != '0) : (waiting0_q != '0 || memory0_q != '0);
  wire writes_left = closed_write ? writes1_q != '0 : writes0_q != '0;
  wire start = drain_req_i && !draining_q && !ack_q;
  wire waits_for_reads = draining_q && drain_reads_i && reads_left;
  wire abandon = waits_for_reads && timed_out;

  assign drain_ack_o = ack_q;
  assign generation_o = {write_generation_q, read_generation_q};
  assign stat_read_lost_o = abandon || (replaces && foreign);

  always_comb begin
    read_generation_d = read_generation_q;
    write_generation_d = write_generation_q;
    draining_d = draining_q;
    ack_d = 1'b0;
    timer_d = '0;
    if (start) begin
      draining_d = 1'b1;
      if (drain_reads_i) read_generation_d = !read_generation_q;
      if (drain_writes_i) write_generation_d = !write_generation_q;
    end else if (draining_q && !(drain_reads_i && reads_left) && !(drain_writes_i && (writes_left || !posted_settled_i))) begin
      draining_d = 1'b0;
      ack_d = 1'b1;
    end
    if ((waits_for_reads || foreign) && !finishes && !timed_out) timer_d = timer_q + 1'b1;
    // A held request that was let go stays free until it has left.
    if (foreign && timed_out && !nonposted_leaves_i) timer_d = timer_q;
  end

  always_comb begin
    waiting0_d = waiting0_q + READ_COUNT_W'(count_read_i && !read_generation_q)
        - READ_COUNT_W'(leaves && !nonposted_generation_i[0]);
    waiting1_d = waiting1_q + READ_COUNT_W'(count_read_i && read_generation_q)
        - READ_COUNT_W'(leaves && nonposted_generation_i[0]);
    memory0_d = memory0_q + READ_COUNT_W'(enters && !nonposted_generation_i[0])
        - READ_COUNT_W'(replaces && !entry_generation_q[request_index])
        - READ_COUNT_W'(finishes && !entry_generation_q[delivered_index]);
    memory1_d = memory1_q + READ_COUNT_W'(enters && nonposted_generation_i[0])
        - READ_COUNT_W'(replaces && entry_generation_q[request_index])
        - READ_COUNT_W'(finishes && entry_generation_q[delivered_index]);
    writes0_d = writes0_q + WRITE_COUNT_W'(count_write_i && !write_generation_q)
        - WRITE_COUNT_W'(posted_released_i && !posted_generation_i)
        - WRITE_COUNT_W'(leaves && nonposted_atomic_i && !nonposted_generation_i[1]);
    writes1_d = writes1_q + WRITE_COUNT_W'(count_write_i && write_generation_q)
        - WRITE_COUNT_W'(posted_released_i && posted_generation_i)
        - WRITE_COUNT_W'(leaves && nonposted_atomic_i && nonposted_generation_i[1]);
    if (abandon) begin
      if (closed_read) memory1_d = READ_COUNT_W'(enters && nonposted_generation_i[0]);
      else memory0_d = READ_COUNT_W'(enters && !nonposted_generation_i[0]);
    end
  end

  // Single bits of wide vectors are written in place: a next-state copy of both would cost every cycle of a simulation.
  always_ff @(posedge clk_i) begin
    if (abandon) outstanding_q <= outstanding_q & (closed_read ? ~entry_generation_q : entry_generation_q);
    if (finishes) outstanding_q[delivered_index] <= 1'b0;
    if (enters) begin
      outstanding_q[request_index] <= 1'b1;
      entry_generation_q[request_index] <= nonposted_generation_i[0];
      identity_q[request_index] <= request_identity;
    end
    read_generation_q <= read_generation_d;
    write_generation_q <= write_generation_d;
    draining_q <= draining_d;
    ack_q <= ack_d;
    timer_q <= timer_d;
    waiting0_q <= waiting0_d;
    waiting1_q <= waiting1_d;
    memory0_q <= memory0_d;
    memory1_q <= memory1_d;
    writes0_q <= writes0_d;
    writes1_q <= writes1_d;
    if (rst_i) begin
      outstanding_q <= '0;
      read_generation_q <= 1'b0;
      write_generation_q <= 1'b0;
      draining_q <= 1'b0;
      ack_q <= 1'b0;
      timer_q <= '0;
      waiting0_q <= '0;
      waiting1_q <= '0;
      memory0_q <= '0;
      memory1_q <= '0;
      writes0_q <= '0;
      writes1_q <= '0;
    end
  end

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i) begin
      assert (!(leaves && nonposted_generation_i[0] && waiting1_q == '0) && !(leaves && !nonposted_generation_i[0] && waiting0_q == '0))
        else $error("iommu_drain_tracker: a request left that was not counted");
      assert (!(posted_released_i && (posted_generation_i ? writes1_q : writes0_q) == '0))
        else $error("iommu_drain_tracker: a write left that was not counted");
      assert (!(start && drain_reads_i && reads_left) && !(start && drain_writes_i && writes_left))
        else $error("iommu_drain_tracker: a drain begins before the last one is done");
      assert (!(nonposted_leaves_i && hold_o)) else $error("iommu_drain_tracker: a held request left");
      assert (!draining_q || drain_req_i) else $error("iommu_drain_tracker: drain request fell before its acknowledgement");
    end
  end
`endif

endmodule
`default_nettype wire
