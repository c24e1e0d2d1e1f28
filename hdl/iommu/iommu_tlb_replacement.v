`default_nettype none
// Which way of a set a fill of the second-level IOTLB takes: a free one, else the oldest of the set.
// Neighbours of walked pages (iommu_neighbour_fill.v) are stored by the line, seven for every page that was asked for. They replace others
// like that page as long as most of them are used. Otherwise they take a free way or that of a neighbour nobody has used, or none, and
// so does the page that was asked for before it takes the oldest.
// What is counted are the neighbours of one block of sets, as many as a line has pages: one used for the first time counts up, one
// replaced before counts down. One in eight of the lines that come there takes the oldest ways in any case, so that a change of the
// traffic is seen.
module iommu_tlb_replacement #(
    // Sets, a power of two, 8 or more; ways per set, 2 or more.
    parameter int SETS = 64,
    parameter int WAYS = 4,
    // Derived: bits of a set's number.
    parameter int SET_W = $clog2(SETS)
) (
    input  wire             clk_i,
    input  wire             rst_i,

    // First cycle of a fill: there is one; it is that of a neighbour; its set.
    input  wire             look_i,
    input  wire             look_neighbour_i,
    input  wire [SET_W-1:0] look_set_i,

    // Second cycle: the same, unless the fill was dropped; which ways of the set hold a word, and which of those one that was filled as a
    // neighbour and not used, as of the first cycle. Whether it takes a way, and which, one-hot.
    input  wire             choose_i,
    input  wire             choose_neighbour_i,
    input  wire [SET_W-1:0] choose_set_i,
    input  wire [WAYS-1:0]  choose_valid_i,
    input  wire [WAYS-1:0]  choose_unused_i,
    output wire             takes_o,
    output wire [WAYS-1:0]  way_o,

    // A neighbour of this set is used for the first time.
    input  wire             used_i,
    input  wire [SET_W-1:0] used_set_i
);

  localparam int LINE_PAGES = 8;
  localparam int COUNT_W = 3;
  localparam int TURN_W = 3;

  // The way behind the one that was filled last in each set, one-hot: the oldest, once all are. Written with the first fill of a set.
  logic [WAYS-1:0]    oldest_q [0:SETS-1];
  logic [WAYS-1:0]    choose_oldest_q;
  logic [COUNT_W-1:0] count_d, count_q;
  logic [TURN_W-1:0]  turn_q;                                     // lines of the block that is counted
  logic               used_q, wasted_q;
  logic               counted_q, by_age_q;
  logic [WAYS-1:0]    way;
  wire                trusted = count_q[COUNT_W-1];
  wire                counted = SETS == LINE_PAGES || look_set_i < SET_W'(LINE_PAGES);
  wire                used_counted = SETS == LINE_PAGES || used_set_i < SET_W'(LINE_PAGES);
  wire [TURN_W-1:0]   turn = turn_q + TURN_W'(look_i && counted && !look_neighbour_i);
  wire                full = choose_valid_i == '1;
  wire [WAYS-1:0]     free_way = ~choose_valid_i & (choose_valid_i + 1'b1);
  wire [WAYS-1:0]     unused_way = choose_unused_i & (~choose_unused_i + 1'b1);
  wire                by_use = full && !by_age_q;
  wire                spare = by_use && (choose_unused_i != '0 || choose_neighbour_i);

  always_comb begin
    way = choose_oldest_q;
    if (!full) way = free_way;
    else if (spare) way = unused_way;
    count_d = count_q;
    if (used_q && !wasted_q && count_q != '1) count_d = count_q + 1'b1;
    if (wasted_q && !used_q && count_q != '0) count_d = count_q - 1'b1;
  end

  always_ff @(posedge clk_i) begin
    choose_oldest_q <= oldest_q[look_set_i];
    if (choose_i && !spare) oldest_q[choose_set_i] <= {way[WAYS-2:0], way[WAYS-1]};
    used_q <= used_i && used_counted;
    counted_q <= counted;
    by_age_q <= trusted || (counted && turn == '0);
    wasted_q <= choose_i && full && counted_q && ((by_age_q ? choose_oldest_q : '1) & choose_unused_i) != '0;
    count_q <= count_d;
    turn_q <= turn;
    if (rst_i) begin
      used_q <= 1'b0;
      wasted_q <= 1'b0;
      turn_q <= '0;
      count_q <= {1'b1, {(COUNT_W-1){1'b0}}};
    end
  end

  assign takes_o = !by_use || choose_unused_i != '0 || !choose_neighbour_i;
  assign way_o = way;

endmodule
`default_nettype wire
