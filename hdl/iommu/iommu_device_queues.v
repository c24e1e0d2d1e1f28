`default_nettype none
// Misses that wait for the walker: a queue for each device that has any, served in turn, so that no device waits for all that another
// one asked before. With more devices than queues some share one. Every queue holds all requests that can be in flight: a miss always
// has room, and hits behind it pass.
// The miss that is to walk next stands in one of two registers: in the cycle after it came if none waits, else it is queued one cycle
// later and presented two cycles after that at the earliest. One can be taken every cycle, of one device alone as well; whether it is
// decides late, and so only which register is presented.
module iommu_device_queues #(
    // Queues, a power of two, 2 or more; entries of each, a power of two: the identifiers of the translation port.
    parameter int QUEUES = 4,
    parameter int DEPTH = 256,
    // Bits of an entry, the device's identifier not among them.
    parameter int WIDTH = 32
) (
    input  wire             clk_i,
    input  wire             rst_i,

    // Misses with the device identifier; always taken.
    input  wire             in_valid_i,
    input  wire [23:0]      in_device_i,
    input  wire [WIDTH-1:0] in_data_i,

    // The one to walk next, held until it is taken.
    output wire             out_valid_o,
    output wire [WIDTH-1:0] out_data_o,
    input  wire             take_i,

    // None waits, and none came in the cycle before.
    output wire             idle_o
);

  localparam int QUEUE_W = $clog2(QUEUES);
  localparam int PLACE_W = $clog2(DEPTH);
  localparam int COUNT_W = PLACE_W + 1;

  // ---- Entry: a miss on its way into its queue ----------------------------------------------------------------------------------
  logic             entry_valid_q;
  logic [23:0]      entry_device_q;
  logic [WIDTH-1:0] entry_q;

  logic [COUNT_W-1:0] count_q [0:QUEUES-1];
  logic [PLACE_W-1:0] read_q [0:QUEUES-1];
  logic [PLACE_W-1:0] write_q [0:QUEUES-1];
  logic [23:0]        owner_q [0:QUEUES-1];

  logic [QUEUES-1:0]  waiting, several, same, fresh, target;
  logic [QUEUE_W-1:0] target_index, shared_index;

  always_comb begin
    shared_index = '0;
    for (int i = 0; i < 24 / QUEUE_W; i++) shared_index = shared_index ^ entry_device_q[QUEUE_W*i +: QUEUE_W];
    for (int i = 0; i < QUEUES; i++) begin
      waiting[i] = count_q[i] != '0;
      several[i] = count_q[i] > COUNT_W'(1);
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

  // ---- The registers of the next ones, and the queue they come from --------------------------------------------------------------------
  logic [1:0]         out_valid_q;
  logic               out_select_q;                  // which is presented
  logic [WIDTH-1:0]   out_q [0:1];
  logic               head_valid_d, head_valid_q;    // the first one of queue `head_q` stands at the output of the RAM
  logic [QUEUE_W-1:0] head_d, head_q;
  logic [QUEUES-1:0]  others, behind, next;
  logic [QUEUE_W-1:0] next_index;
  logic [PLACE_W-1:0] read_place;
  wire  [WIDTH-1:0]   head;

  wire queued = waiting != '0;
  wire room = out_valid_q != 2'b11;
  wire take_head = room && head_valid_q;
  wire take_entry = room && !queued && entry_valid_q;
  wire take_input = room && !queued && !entry_valid_q && in_valid_i;
  wire push = entry_valid_q && !take_entry;
  wire load = take_head || take_entry || take_input;
  wire load_select = out_select_q ^ out_valid_q[out_select_q];

  // The next queue in turn, behind the present one.
  always_comb begin
    others = waiting;
    if (head_valid_q) others[head_q] = 1'b0;
    behind = others & ~((QUEUES'(2) << head_q) - 1'b1);
    next = behind != '0 ? behind & (~behind + 1'b1) : others & (~others + 1'b1);
    next_index = '0;
    for (int i = 0; i < QUEUES; i++) if (next[i]) next_index = next_index | QUEUE_W'(i);
    if (!head_valid_q || (take_head && others != '0)) begin
      head_d = next_index;
      head_valid_d = others != '0;
      read_place = read_q[next_index];
    end else if (take_head) begin
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

  generate
    for (genvar i = 0; i < 2; i++) begin : g_out
      always_ff @(posedge clk_i) begin
        out_valid_q[i] <= out_valid_q[i] ? !(take_i && out_select_q == i[0]) : load && load_select == i[0];
        if (!out_valid_q[i]) out_q[i] <= head_valid_q ? head : entry_valid_q ? entry_q : in_data_i;
        if (rst_i) out_valid_q[i] <= 1'b0;
      end
    end
  endgenerate

  always_ff @(posedge clk_i) begin
    entry_valid_q <= in_valid_i && !take_input;
    entry_device_q <= in_device_i;
    entry_q <= in_data_i;
    out_select_q <= out_select_q ^ take_i;
    head_valid_q <= head_valid_d;
    head_q <= head_d;
    if (rst_i) begin
      entry_valid_q <= 1'b0;
      out_select_q <= 1'b0;
      head_valid_q <= 1'b0;
      head_q <= '0;
    end
  end

  assign out_valid_o = out_valid_q[out_select_q];
  assign out_data_o = out_q[out_select_q];
  assign idle_o = out_valid_q == 2'b00 && !entry_valid_q && !queued;

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
      assert (out_valid_o || out_valid_q == 2'b00) else $error("iommu_device_queues: the second is there without the first");
      assert (!take_i || out_valid_o) else $error("iommu_device_queues: taken where nothing is presented");
      assert (!head_valid_q || waiting[head_q]) else $error("iommu_device_queues: the head of an empty queue is presented");
      assert (!push || count_q[target_index] != COUNT_W'(DEPTH)) else $error("iommu_device_queues: a queue overflows");
    end
  end
`endif

endmodule
`default_nettype wire
