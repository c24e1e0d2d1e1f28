`default_nettype none
// Shares the memory port (docs/interfaces.md section 4) among the walker and the queue engines, and returns the responses by
// identifier: walks 0 .. WALKS-1, then the engines: command queue, fault queue, interrupt writer, page-request queue, interrupt files. Round robin; a
// presented request is held.
module iommu_memory_arbiter #(
    // Walks; bits of the port's identifier, at least $clog2(WALKS + ENGINES); requesters besides the walker.
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

  wire [ENGINES:0] request = {engine_valid_i, walk_valid_i};
  wire [ENGINES:0] grant;
  wire [$clog2(ENGINES+1)-1:0] grant_index;
  logic [ENGINES:0] chosen, chosen_q;
  logic             locked_d, locked_q;

  round_robin_arbiter #(
      .REQUESTS(ENGINES + 1)
  ) u_arbiter (
      .clk_i        (clk_i),
      .rst_i        (rst_i),
      .request_i    (locked_q ? chosen_q : request),
      .advance_i    (mem_req_valid_o && mem_req_ready_i),
      .grant_o      (grant),
      .grant_index_o(grant_index)
  );

  assign chosen = grant;
  assign mem_req_valid_o = chosen != '0;
  assign walk_ready_o = chosen[0] && mem_req_ready_i;
  assign engine_ready_o = chosen[ENGINES:1] & {ENGINES{mem_req_ready_i}};

  logic [ACCESS_W-1:0] access;
  wire  [255:0]        access_wdata;
  wire  [31:0]         access_strobe;

  always_comb begin
    access = {walk_op_i, walk_addr_i, walk_size_i, 128'd0, walk_wdata_i, 32'h0000FFFF, walk_qos_i, walk_pbmt_i};
    for (int i = 0; i < ENGINES; i++) if (chosen[i+1]) access = engine_access_i[i*ACCESS_W +: ACCESS_W];
    locked_d = mem_req_valid_o && !mem_req_ready_i;
  end

  assign {mem_req_op_o, mem_req_addr_o, mem_req_size_o, access_wdata, access_strobe, mem_req_qos_o, mem_req_pbmt_o} = access;
  assign mem_req_wdata_o = {256'd0, access_wdata};
  assign mem_req_strobe_o = {32'd0, access_strobe};
  assign mem_req_id_o = chosen[0] ? MEM_ID_W'(walk_slot_i) : MEM_ID_W'(WALKS - 1) + MEM_ID_W'(grant_index);

  assign mem_rsp_ready_o = 1'b1;
  assign walk_rsp_valid_o = mem_rsp_valid_i && mem_rsp_id_i < MEM_ID_W'(WALKS);
  assign walk_rsp_slot_o = mem_rsp_id_i[SLOT_W-1:0];

  generate
    for (genvar i = 0; i < ENGINES; i++) begin : g_engine
      assign engine_rsp_valid_o[i] = mem_rsp_valid_i && mem_rsp_id_i == MEM_ID_W'(WALKS + i);
    end

    if (MEM_ID_W < $clog2(WALKS + ENGINES)) begin : g_check_id
      initial $fatal(1, "iommu_memory_arbiter: MEM_ID_W is too small for WALKS + ENGINES requesters");
    end
  endgenerate

  always_ff @(posedge clk_i) begin
    locked_q <= locked_d;
    chosen_q <= chosen;
    if (rst_i) locked_q <= 1'b0;
  end

endmodule
`default_nettype wire
