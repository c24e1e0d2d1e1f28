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

`ifdef FORMAL
  // Proof `dma_tag_allocator`: no tag is given that is in use, and none is lost.
  logic f_started_q = 1'b0;
  always_ff @(posedge clk_i) f_started_q <= 1'b1;
  always_comb if (!f_started_q) assume (rst_i);

  // Tags in use.
  logic [TAGS-1:0]    f_busy_q;
  logic [COUNT_W-1:0] f_limit_q;
  always_ff @(posedge clk_i) begin
    if (release_valid_i) f_busy_q[release_tag_i] <= 1'b0;
    if (allocate) f_busy_q[allocate_tag_o] <= 1'b1;
    if (rst_i || restart_i) f_busy_q <= '0;
    f_limit_q <= limit_i;
  end

  // Places of the queue that hold a tag, and where tag t stands among them.
  function automatic f_stored;
    input [TAG_W-1:0] place;
    begin
      f_stored = (32'(place) >= 32'(read_q) ? 32'(place) - 32'(read_q) : 32'(place) + TAGS - 32'(read_q)) < 32'(queued_q);
    end
  endfunction

  logic [TAGS-1:0] f_once, f_twice, f_unused;
  always_comb begin
    f_once = '0;
    f_twice = '0;
    f_unused = '0;
    for (int t = 0; t < TAGS; t++) begin
      f_unused[t] = 32'(fresh_q) <= t;
      for (int p = 0; p < TAGS; p++) begin
        if (f_stored(TAG_W'(p)) && queue[p] == TAG_W'(t)) begin
          if (f_once[t]) f_twice[t] = 1'b1;
          f_once[t] = 1'b1;
        end
      end
    end
  end

  always_comb begin
    // The port's rules: only a tag in use comes back; the limit changes only together with a restart, while no tag is in use.
    assume (!release_valid_i || (32'(release_tag_i) < TAGS && f_busy_q[release_tag_i]));
    assume (!restart_i || (f_busy_q == '0 && !release_valid_i));
    assume (32'(limit_i) <= TAGS && limit_i != '0);
    assume (!f_started_q || f_limit_q == limit_i || restart_i);
    if (f_started_q) begin
      never_a_busy_tag: assert (!allocate || !f_busy_q[allocate_tag_o]);
      below_the_limit: assert (restart_i || !allocate || 32'(allocate_tag_o) < 32'(limit_i));
      // Each tag is in one place: in use, in the queue once, or never used since reset.
      in_one_place: assert ((f_busy_q ^ f_once ^ f_unused) == '1 && (f_busy_q & f_once) == '0 && (f_once & f_unused) == '0 &&
                            f_twice == '0);
      used_is_counted: assert (32'(used_q) == $countones(f_busy_q));
      queue_bounded: assert (32'(queued_q) + 32'(used_q) == 32'(fresh_q) && 32'(fresh_q) <= TAGS);
      fresh_below_limit: assert (fresh_q <= f_limit_q);
      write_follows_read: assert (32'(write_q) == (32'(read_q) + 32'(queued_q)) % TAGS && 32'(read_q) < TAGS);
      all_in_use: cover (32'(used_q) == TAGS);
      reused: cover (dequeue && read_q != '0);
    end
  end
`endif

endmodule
`default_nettype wire
