`default_nettype none
// Misses that wait for the walker: a queue for each device that has any, served in turn, so that no device waits for all that another
// one asked before. With more devices than queues some share one. Every queue holds all requests that can be in flight: a miss always
// has room, and hits behind it pass.
// A miss that finds nothing waiting is presented in the next cycle; else it is queued then and presented two cycles after that at the
// earliest. One can be taken every cycle, of one device alone as well.
module iommu_device_queues #(
    // Queues, a power of two, 2 or more; entries of each, a power of two: the identifiers of the translation port.
    parameter int QUEUES = 4,
    parameter int DEPTH = 256,
    // Bits of an entry, the device's identifier not among them.
    parameter int WIDTH = 32
) (
    input  wire             clk_i,
    input  wire             rst_i,

    // Misses with the device identifier.
    input  wire             in_valid_i,
    output wire             in_ready_o,
    input  wire [23:0]      in_device_i,
    input  wire [WIDTH-1:0] in_data_i,

    // The one to walk next, held until it is taken, or passed over for that of another device because it cannot go on now.
    output wire             out_valid_o,
    output wire [WIDTH-1:0] out_data_o,
    input  wire             take_i,
    input  wire             pass_i
);

  localparam int QUEUE_W = $clog2(QUEUES);
  localparam int PLACE_W = $clog2(DEPTH);
  localparam int COUNT_W = PLACE_W + 1;

  // ---- Entry: a miss on its way into its queue ----------------------------------------------------------------------------------
  logic             entry_valid_d, entry_valid_q;
  logic [23:0]      entry_device_q;
  logic [WIDTH-1:0] entry_q;

  logic [COUNT_W-1:0] count_q [0:QUEUES-1];
  logic [PLACE_W-1:0] read_q [0:QUEUES-1];
  logic [PLACE_W-1:0] write_q [0:QUEUES-1];
  logic [23:0]        owner_q [0:QUEUES-1];

  logic [QUEUES-1:0]  waiting, several, full, same, fresh, target;
  logic [QUEUE_W-1:0] target_index, shared_index;

  always_comb begin
    shared_index = '0;
    for (int i = 0; i < 24 / QUEUE_W; i++) shared_index = shared_index ^ entry_device_q[QUEUE_W*i +: QUEUE_W];
    for (int i = 0; i < QUEUES; i++) begin
      waiting[i] = count_q[i] != '0;
      several[i] = count_q[i] > COUNT_W'(1);
      full[i] = count_q[i] == COUNT_W'(DEPTH);
      same[i] = waiting[i] && owner_q[i] == entry_device_q;
    end
    fresh = ~waiting & (waiting + 1'b1);
    // Shared queues keep their first owner, so a device may have misses in two.
    if (same != '0) target = same & (~same + 1'b1);
    else if (waiting != '1) target = fresh;
    else target = QUEUES'(1) << shared_index;
    target_index = '0;
    for (int i = 0; i < QUEUES; i++) if (target[i]) target_index = target_index | QUEUE_W'(i);
  end

  // ---- The one that is presented ----------------------------------------------------------------------------------------------------
  logic               head_valid_d, head_valid_q;
  logic [QUEUE_W-1:0] head_d, head_q;
  logic [QUEUES-1:0]  others, behind, next;
  logic [QUEUE_W-1:0] next_index;
  logic [PLACE_W-1:0] read_place;
  wire  [WIDTH-1:0]   head;

  wire queued = waiting != '0;
  wire take_head = take_i && head_valid_q;
  wire take_entry = take_i && !head_valid_q && entry_valid_q;
  wire push = entry_valid_q && !take_entry && (target & full) == '0;

  assign out_valid_o = head_valid_q || (!queued && entry_valid_q);
  assign out_data_o = head_valid_q ? head : entry_q;
  assign in_ready_o = !entry_valid_q || (target & full) == '0;

  // The next queue in turn, behind the present one; it does not depend on whether that one is taken.
  always_comb begin
    others = waiting;
    if (head_valid_q) others[head_q] = 1'b0;
    behind = others & ~((QUEUES'(2) << head_q) - 1'b1);
    next = behind != '0 ? behind & (~behind + 1'b1) : others & (~others + 1'b1);
    next_index = '0;
    for (int i = 0; i < QUEUES; i++) if (next[i]) next_index = next_index | QUEUE_W'(i);
    if (!head_valid_q || ((take_i || pass_i) && others != '0)) begin
      head_d = next_index;
      head_valid_d = others != '0;
      read_place = read_q[next_index];
    end else if (take_i) begin
      head_d = head_q;
      head_valid_d = several[head_q];
      read_place = read_q[head_q] + 1'b1;
    end else begin
      head_d = head_q;
      head_valid_d = 1'b1;
      read_place = read_q[head_q];
    end
  end

  ram_simple_dual_port #(
      .WIDTH(WIDTH),
      .DEPTH(QUEUES * DEPTH)
  ) u_misses (
      .clk_i          (clk_i),
      .write_i        (push),
      .write_address_i({target_index, write_q[target_index]}),
      .write_data_i   (entry_q),
      .read_i         (1'b1),
      .read_address_i ({head_d, read_place}),
      .read_data_o    (head)
  );

  // ---- Registers ----------------------------------------------------------------------------------------------------------------------
  always_comb begin
    entry_valid_d = (in_valid_i && in_ready_o) || (entry_valid_q && !push && !take_entry);
  end

  generate
    for (genvar i = 0; i < QUEUES; i++) begin : g_queue
      wire pushed = push && target[i];
      wire popped = take_head && head_q == QUEUE_W'(i);

      always_ff @(posedge clk_i) begin
        count_q[i] <= count_q[i] + COUNT_W'(pushed) - COUNT_W'(popped);
        if (pushed) write_q[i] <= write_q[i] + 1'b1;
        if (pushed && !waiting[i]) owner_q[i] <= entry_device_q;
        if (popped) read_q[i] <= read_q[i] + 1'b1;
        if (rst_i) begin
          count_q[i] <= '0;
          write_q[i] <= '0;
          read_q[i] <= '0;
        end
      end
    end
  endgenerate

  always_ff @(posedge clk_i) begin
    entry_valid_q <= entry_valid_d;
    head_valid_q <= head_valid_d;
    head_q <= head_d;
    if (in_valid_i && in_ready_o) begin
      entry_q <= in_data_i;
      entry_device_q <= in_device_i;
    end
    if (rst_i) begin
      entry_valid_q <= 1'b0;
      head_valid_q <= 1'b0;
      head_q <= '0;
    end
  end

  generate
    if (QUEUES < 2 || (QUEUES & (QUEUES - 1)) != 0) begin : g_check_queues
      initial $fatal(1, "iommu_device_queues: QUEUES must be a power of two, 2 or more");
    end
    if (DEPTH < 2 || (DEPTH & (DEPTH - 1)) != 0) begin : g_check_depth
      initial $fatal(1, "iommu_device_queues: DEPTH must be a power of two, 2 or more");
    end
  endgenerate

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i) begin
      assert (!take_i || out_valid_o) else $error("iommu_device_queues: taken where nothing is presented");
      assert (!head_valid_q || waiting[head_q]) else $error("iommu_device_queues: the head of an empty queue is presented");
      assert (!push || (target & full) == '0) else $error("iommu_device_queues: a queue overflows");
    end
  end
`endif

endmodule
`default_nettype wire
