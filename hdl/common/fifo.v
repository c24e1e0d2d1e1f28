`default_nettype none
// Synchronous first-in first-out queue, show-ahead (the head word is on `out_data_o` while `out_valid_o`).
// One word in and one word out per cycle at any fill level; a word appears at the output one cycle after it entered.
// The storage is a block RAM that is read one cycle ahead; a word written to the address being read is bypassed in a register.
module fifo #(
    // Bits of a word.
    parameter int WIDTH = 32,
    // Words, 2 or more, any number.
    parameter int DEPTH = 16,
    // Derived: bits of the fill count.
    parameter int COUNT_W = $clog2(DEPTH + 1)
) (
    input  wire               clk_i,
    input  wire               rst_i,

    // Input; `in_ready_o` is registered and does not look at the output.
    input  wire               in_valid_i,
    output wire               in_ready_o,
    input  wire [WIDTH-1:0]   in_data_i,

    // Output.
    output wire               out_valid_o,
    input  wire               out_ready_i,
    output wire [WIDTH-1:0]   out_data_o,

    // Words stored, 0..DEPTH, registered.
    output wire [COUNT_W-1:0] count_o
);

  localparam int ADDRESS_W = $clog2(DEPTH);

  logic [ADDRESS_W-1:0] write_pointer_d, write_pointer_q;
  logic [ADDRESS_W-1:0] read_pointer_d, read_pointer_q;
  logic [ADDRESS_W-1:0] read_next;
  logic                 bypass_d;
  logic                 valid_d, valid_q;
  logic [COUNT_W-1:0]   count_d, count_q;
  logic                 bypass_q;
  logic [WIDTH-1:0]     bypass_data_q;
  logic [WIDTH-1:0]     read_data;
  logic                 push, pop;

  assign push = in_valid_i && in_ready_o;
  assign pop = out_valid_o && out_ready_i;

  assign in_ready_o = count_q != COUNT_W'(DEPTH);
  assign out_valid_o = valid_q;
  assign out_data_o = bypass_q ? bypass_data_q : read_data;
  assign count_o = count_q;

  always_comb begin
    write_pointer_d = write_pointer_q;
    read_next = read_pointer_q == ADDRESS_W'(DEPTH - 1) ? '0 : read_pointer_q + 1'b1;
    read_pointer_d = pop ? read_next : read_pointer_q;
    // `pop` comes late: what follows from it is ready either way.
    valid_d = push || (pop ? count_q > COUNT_W'(1) : valid_q);
    bypass_d = push && (pop ? write_pointer_q == read_next : write_pointer_q == read_pointer_q);
    count_d = count_q;
    if (push) write_pointer_d = write_pointer_q == ADDRESS_W'(DEPTH - 1) ? '0 : write_pointer_q + 1'b1;
    if (push && !pop) count_d = count_q + 1'b1;
    if (pop && !push) count_d = count_q - 1'b1;
  end

  // The address read now is the head of the next cycle.
  ram_simple_dual_port #(
      .WIDTH(WIDTH),
      .DEPTH(DEPTH)
  ) u_storage (
      .clk_i          (clk_i),
      .write_i        (push),
      .write_address_i(write_pointer_q),
      .write_data_i   (in_data_i),
      .read_i         (1'b1),
      .read_address_i (read_pointer_d),
      .read_data_o    (read_data)
  );

  always_ff @(posedge clk_i) begin
    if (push) bypass_data_q <= in_data_i;
    bypass_q <= bypass_d;
    valid_q <= valid_d;
    write_pointer_q <= write_pointer_d;
    read_pointer_q <= read_pointer_d;
    count_q <= count_d;
    if (rst_i) begin
      valid_q <= 1'b0;
      bypass_q <= 1'b0;
      write_pointer_q <= '0;
      read_pointer_q <= '0;
      count_q <= '0;
    end
  end

  generate
    if (DEPTH < 2) begin : g_check_depth
      initial $fatal(1, "fifo: DEPTH must be at least 2");
    end
  endgenerate

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i) begin
      assert (32'(count_q) <= DEPTH) else $error("fifo: count beyond DEPTH");
      assert (32'(write_pointer_q) < DEPTH && 32'(read_pointer_q) < DEPTH) else $error("fifo: pointer beyond DEPTH");
    end
  end
`endif

`ifdef FORMAL
  // Proof `fifo`: order and integrity of any one word, watched from the cycle it enters (f_watch says which).
  logic f_started_q = 1'b0;
  always_ff @(posedge clk_i) f_started_q <= 1'b1;
  always_comb if (!f_started_q) assume (rst_i);

  wire                 f_watch;
  logic                f_watching_q;
  logic [WIDTH-1:0]    f_word_q;
  logic [COUNT_W-1:0]  f_ahead_q;  // words in front of the watched one
  formal_free u_f_watch (.value_o(f_watch));
  wire                 f_take = f_watch && push && !f_watching_q;
  wire                 f_leave = f_watching_q && pop && f_ahead_q == '0;

  always_ff @(posedge clk_i) begin
    if (f_take) begin
      f_word_q <= in_data_i;
      f_ahead_q <= count_q - COUNT_W'(pop);
    end else if (pop) f_ahead_q <= f_ahead_q - 1'b1;
    if (f_take) f_watching_q <= 1'b1;
    if (f_leave) f_watching_q <= 1'b0;
    if (rst_i) f_watching_q <= 1'b0;
  end

  // Position of the word behind `ahead` others, and behind all of them.
  function automatic [ADDRESS_W-1:0] f_behind;
    input [COUNT_W-1:0] ahead;
    begin
      f_behind = ADDRESS_W'((32'(read_pointer_q) + 32'(ahead)) % DEPTH);
    end
  endfunction

  always_comb begin
    if (f_started_q) begin
      // The fill never exceeds the depth and is what the pointers span.
      count_bounded: assert (32'(count_q) <= DEPTH && valid_q == (count_q != '0));
      pointers_span_count: assert (32'(read_pointer_q) < DEPTH && write_pointer_q == f_behind(count_q));
      // The word at the output is the one at the read pointer, through the RAM or through the bypass.
      head_is_read: assert (count_q == '0 || out_data_o == u_storage.memory_q[read_pointer_q]);
      // The watched word is stored behind the words that entered before it, and leaves unchanged when they have left.
      watched_is_stored: assert (!f_watching_q || f_ahead_q < count_q);
      watched_in_memory: assert (!f_watching_q || u_storage.memory_q[f_behind(f_ahead_q)] == f_word_q);
      order_and_integrity: assert (!(f_watching_q && f_ahead_q == '0) || (out_valid_o && out_data_o == f_word_q));
      watched_leaves_full: cover (f_leave && 32'(count_q) == DEPTH);
      wraps: cover (f_leave && write_pointer_q < read_pointer_q);
    end
  end
`endif

endmodule
`default_nettype wire
