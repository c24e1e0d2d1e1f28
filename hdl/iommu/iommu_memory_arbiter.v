`default_nettype none
// Shares the memory port (docs/interfaces.md section 4) among the walker and the queue engines, and returns the responses by
// identifier: walks 0 .. WALKS-1; with its highest bit 1 the engines: command queue, fault queue, interrupt writer, page-request queue,
// interrupt files. Engines in turn, the walker between any two of them; a presented request is held.
module iommu_memory_arbiter #(
    // Walks; bits of the port's identifier, one more than both WALKS and ENGINES need; requesters besides the walker.
    parameter int WALKS = 8,
    parameter int MEM_ID_W = 8,
    parameter int ENGINES = 5,
    // Derived: bits of a slot number; bits of a request without its identifier.
    parameter int SLOT_W = $clog2(WALKS),
    parameter int ACCESS_W = 2 + 56 + 7 + 256 + 32 + 24 + 2
) (
    input  wire                        clk_i,
    input  wire                        rst_i,

    // Walker: reads and CAS64.
    input  wire                        walk_valid_i,
    output wire                        walk_ready_o,
    input  wire [SLOT_W-1:0]           walk_slot_i,
    input  wire [1:0]                  walk_op_i,
    input  wire [55:0]                 walk_addr_i,
    input  wire [6:0]                  walk_size_i,
    input  wire [127:0]                walk_wdata_i,
    input  wire [23:0]                 walk_qos_i,
    input  wire [1:0]                  walk_pbmt_i,

    // Engines, flat by engine: {op, addr, size, wdata[255:0], strobe[31:0], qos, pbmt}.
    input  wire [ENGINES-1:0]          engine_valid_i,
    output wire [ENGINES-1:0]          engine_ready_o,
    input  wire [ENGINES*ACCESS_W-1:0] engine_access_i,

    // Memory port.
    output wire                        mem_req_valid_o,
    input  wire                        mem_req_ready_i,
    output wire [MEM_ID_W-1:0]         mem_req_id_o,
    output wire [1:0]                  mem_req_op_o,
    output wire [55:0]                 mem_req_addr_o,
    output wire [6:0]                  mem_req_size_o,
    output wire [511:0]                mem_req_wdata_o,
    output wire [63:0]                 mem_req_strobe_o,
    output wire [23:0]                 mem_req_qos_o,
    output wire [1:0]                  mem_req_pbmt_o,
    input  wire                        mem_rsp_valid_i,
    output wire                        mem_rsp_ready_o,
    input  wire [MEM_ID_W-1:0]         mem_rsp_id_i,

    // Response strobes; data, err and poison go to the requesters directly. Every requester always accepts.
    output wire                        walk_rsp_valid_o,
    output wire [SLOT_W-1:0]           walk_rsp_slot_o,
    output wire [ENGINES-1:0]          engine_rsp_valid_o
);

  // Whose turn it is: one engine, or none and so the walker. Known a cycle ahead: a walk's access comes late in its cycle, and must
  // find its way to the port open. After an engine the walker has a turn. The arbiter learns of a turn while that lasts.
  // Engines that ask are those that did in the cycle before and have not had their turn: a request stays until it is taken.
  logic [ENGINES-1:0]          turn_d, turn_q, asks_q;
  wire  [ENGINES-1:0]          grant;
  wire  [$clog2(ENGINES)-1:0]  unused_grant_index;
  logic                        walkers_d, walkers_q;   // `turn_q` is 0
  wire                         open = !mem_req_valid_o || mem_req_ready_i;

  round_robin_arbiter #(
      .REQUESTS(ENGINES)
  ) u_arbiter (
      .clk_i        (clk_i),
      .rst_i        (rst_i),
      .request_i    (walkers_q ? asks_q : turn_q),
      .advance_i    (!walkers_q),
      .grant_o      (grant),
      .grant_index_o(unused_grant_index)
  );

  assign mem_req_valid_o = !walkers_q || walk_valid_i;
  assign walk_ready_o = walkers_q && mem_req_ready_i;
  assign engine_ready_o = turn_q & {ENGINES{mem_req_ready_i}};

  logic [ACCESS_W-1:0] access, engine_access;
  logic [MEM_ID_W-1:0] id, engine_id;
  wire  [255:0]        access_wdata;
  wire  [31:0]         access_strobe;

  always_comb begin
    engine_access = '0;
    engine_id = '0;
    for (int i = 0; i < ENGINES; i++) begin
      engine_access = engine_access | (engine_access_i[i*ACCESS_W +: ACCESS_W] & {ACCESS_W{turn_q[i]}});
      if (turn_q[i]) engine_id = engine_id | {1'b1, (MEM_ID_W-1)'(i)};
    end
    access = engine_access;
    id = engine_id;
    if (walkers_q) begin
      access = {walk_op_i, walk_addr_i, walk_size_i, 128'd0, walk_wdata_i, 32'h0000FFFF, walk_qos_i, walk_pbmt_i};
      id = MEM_ID_W'(walk_slot_i);
    end
    turn_d = turn_q;
    walkers_d = walkers_q;
    if (open) begin
      turn_d = walkers_q ? grant : '0;
      walkers_d = !walkers_q || asks_q == '0;
    end
  end

  assign {mem_req_op_o, mem_req_addr_o, mem_req_size_o, access_wdata, access_strobe, mem_req_qos_o, mem_req_pbmt_o} = access;
  assign mem_req_wdata_o = {256'd0, access_wdata};
  assign mem_req_strobe_o = {32'd0, access_strobe};
  assign mem_req_id_o = id;

  assign mem_rsp_ready_o = 1'b1;
  // One bit of the identifier tells engines from walks: the walker needs to know soon.
  assign walk_rsp_valid_o = mem_rsp_valid_i && !mem_rsp_id_i[MEM_ID_W-1];
  assign walk_rsp_slot_o = mem_rsp_id_i[SLOT_W-1:0];

  generate
    for (genvar i = 0; i < ENGINES; i++) begin : g_engine
      assign engine_rsp_valid_o[i] = mem_rsp_valid_i && mem_rsp_id_i == {1'b1, (MEM_ID_W-1)'(i)};
    end

    if (MEM_ID_W <= SLOT_W || MEM_ID_W <= $clog2(ENGINES)) begin : g_check_id
      initial $fatal(1, "iommu_memory_arbiter: MEM_ID_W must have a bit more than WALKS and ENGINES need");
    end
  endgenerate

  always_ff @(posedge clk_i) begin
    turn_q <= turn_d;
    walkers_q <= walkers_d;
    asks_q <= engine_valid_i & ~turn_q;
    if (rst_i) begin
      turn_q <= '0;
      walkers_q <= 1'b1;
      asks_q <= '0;
    end
  end

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i) begin
      assert (walkers_q == (turn_q == '0)) else $error("iommu_memory_arbiter: the walker and an engine have the turn, or nobody");
      assert ((turn_q & ~engine_valid_i) == '0) else $error("iommu_memory_arbiter: an engine has a turn and does not ask");
    end
  end
`endif

endmodule
`default_nettype wire
