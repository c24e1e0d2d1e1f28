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

`ifdef FORMAL
  // Proof `iommu_memory_arbiter`: one request at a time, of somebody who asks, held until it is taken; a walk waits for one engine at
  // most; an engine that keeps asking (f_who, any one) has its turn after each other engine has had one, and a walk before each of them.
  localparam int F_COUNT_W = $clog2(ENGINES) + 2;

  logic f_started_q = 1'b0;
  always_ff @(posedge clk_i) f_started_q <= 1'b1;
  always_comb if (!f_started_q) assume (rst_i);

  wire [$clog2(ENGINES)-1:0] f_who;
  formal_constant #(.WIDTH($clog2(ENGINES))) u_f_who (.value_o(f_who));
  always_comb assume (32'(f_who) < ENGINES);

  // Requests stay until they are taken.
  logic [ENGINES-1:0] f_engines_held_q;
  logic               f_walk_held_q, f_began_q, f_port_held_q;
  logic [ENGINES-1:0] f_turn_q;
  always_ff @(posedge clk_i) begin
    f_engines_held_q <= rst_i ? '0 : engine_valid_i & ~engine_ready_o;
    f_walk_held_q <= walk_valid_i && !walk_ready_o && !rst_i;
    f_port_held_q <= mem_req_valid_o && !mem_req_ready_i && !rst_i;
    f_turn_q <= turn_q;
    // The turn of an engine is in its first cycle, and the arbiter learns of it.
    f_began_q <= walkers_q && !rst_i;
  end
  always_comb assume ((f_engines_held_q & ~engine_valid_i) == '0 && (!f_walk_held_q || walk_valid_i));

  // Turns of other engines, and walks, since f_who is seen to ask.
  wire                  f_asks = asks_q[f_who];
  logic [F_COUNT_W-1:0] f_others_q, f_walks_q;
  always_ff @(posedge clk_i) begin
    if (f_asks && !walkers_q && open && !turn_q[f_who]) f_others_q <= f_others_q + 1'b1;
    if (f_asks && walkers_q && open && walk_valid_i) f_walks_q <= f_walks_q + 1'b1;
    if (!f_asks || turn_q[f_who] || rst_i) begin
      f_others_q <= '0;
      f_walks_q <= '0;
    end
  end

  // Engines that come before f_who in the arbiter: one fewer once it has learned of the turn of another.
  wire [31:0] f_first = u_arbiter.mask_q == '0 ? 0 : ENGINES - $countones(u_arbiter.mask_q);
  wire [31:0] f_before = 32'(f_who) >= f_first ? 32'(f_who) - f_first : 32'(f_who) + ENGINES - f_first;
  wire        f_learned = !walkers_q && !f_began_q && !turn_q[f_who];

  always_comb begin
    if (f_started_q) begin
      mask_is_a_run: assert ((~u_arbiter.mask_q & (~u_arbiter.mask_q + 1'b1)) == '0);
      one_has_the_turn: assert ((turn_q & (turn_q - 1'b1)) == '0 && walkers_q == (turn_q == '0));
      who_has_it_asks: assert ((turn_q & ~engine_valid_i) == '0 && (asks_q & ~engine_valid_i) == '0);
      a_turn_was_asked_for: assert (!f_asks || !turn_q[f_who] || f_began_q);
      held_until_taken: assert (!f_port_held_q || (mem_req_valid_o && turn_q == f_turn_q));
      one_engine_at_a_time: assert (f_turn_q == '0 || turn_q == '0 || turn_q == f_turn_q);
      turns_are_paid: assert (!f_asks || turn_q[f_who] || 32'(f_others_q) + f_before + 32'(f_learned) < ENGINES);
      walks_between: assert (!f_asks || turn_q[f_who] || f_walks_q <= f_others_q + F_COUNT_W'(!walkers_q));
      never_starves: assert (!f_asks || 32'(f_others_q) < ENGINES);
      waits_longest: cover (turn_q[f_who] && 32'(f_others_q) == ENGINES - 1 && f_walks_q == f_others_q + 1'b1);
    end
  end
`endif

endmodule
`default_nettype wire
