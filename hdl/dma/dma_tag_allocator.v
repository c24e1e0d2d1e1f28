`default_nettype none
// Free list of tags: gives one and takes one back per cycle, ready in the first cycle after reset.
// Tags that were never used come from a counter; released ones queue up, so that a tag rests as long as possible before its reuse.
// A released tag can be allocated in the cycle after its release.
module dma_tag_allocator #(
  // Number of tags, 2..256
  parameter int TAGS = 64
) (
  input  wire                       clk_i,
  input  wire                       rst_i,

  // Only tags below this number are given; restart_i must follow a change (all tags must be free then)
  input  wire  [$clog2(TAGS+1)-1:0] limit_i,
  input  wire                       restart_i,

  output logic                      allocate_valid_o,
  input  wire                       allocate_ready_i,
  output logic [$clog2(TAGS)-1:0]   allocate_tag_o,

  input  wire                       release_valid_i,
  input  wire  [$clog2(TAGS)-1:0]   release_tag_i,

  // Tags in use
  output logic [$clog2(TAGS+1)-1:0] used_o
);

  localparam int TAG_W = $clog2(TAGS);
  localparam int COUNT_W = $clog2(TAGS + 1);

  logic [TAG_W-1:0]   queue [0:TAGS-1];
  logic [COUNT_W-1:0] fresh_q;
  logic [COUNT_W-1:0] queued_q;
  logic [COUNT_W-1:0] used_q;
  logic [TAG_W-1:0]   write_q;
  logic [TAG_W-1:0]   read_q;
  logic               fresh_left;
  logic               allocate;
  logic               dequeue;

  always_comb begin
    fresh_left = fresh_q < limit_i;
    allocate_valid_o = fresh_left || queued_q != '0;
    allocate_tag_o = fresh_left ? fresh_q[TAG_W-1:0] : queue[read_q];
    used_o = used_q;
  end

  always_comb begin
    allocate = allocate_valid_o && allocate_ready_i;
    dequeue = allocate && !fresh_left;
  end

  always_ff @(posedge clk_i) begin
    if (release_valid_i) queue[write_q] <= release_tag_i;
    if (rst_i || restart_i) begin
      fresh_q <= '0;
      queued_q <= '0;
      used_q <= '0;
      write_q <= '0;
      read_q <= '0;
    end else begin
      if (allocate && fresh_left) fresh_q <= fresh_q + 1'b1;
      if (release_valid_i) write_q <= (write_q == TAG_W'(TAGS - 1)) ? '0 : write_q + 1'b1;
      if (dequeue) read_q <= (read_q == TAG_W'(TAGS - 1)) ? '0 : read_q + 1'b1;
      queued_q <= queued_q + COUNT_W'(release_valid_i) - COUNT_W'(dequeue);
      used_q <= used_q + COUNT_W'(allocate) - COUNT_W'(release_valid_i);
    end
  end

`ifndef SYNTHESIS
  initial if (TAGS < 2 || TAGS > 256) $fatal(1, "TAGS must be 2..256");
  always_ff @(posedge clk_i)
    if (!rst_i && release_valid_i) assert (used_q != '0) else $error("tag %0d released while none is in use", release_tag_i);
`endif

endmodule
`default_nettype wire
