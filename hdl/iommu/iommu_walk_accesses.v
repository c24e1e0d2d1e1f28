`default_nettype none
// Memory accesses of walks, in the order they are asked for. One is presented in the cycle of its step if none waits; what memory does not
// take then stands in a register in the next cycle, and goes on into a queue from there. Every slot has at most one access outstanding or
// queued, so there is always room.
module iommu_walk_accesses #(
    // Walks in flight, 2 or more.
    parameter int WALKS = 8,
    // Derived: bits of a slot number.
    parameter int SLOT_W = $clog2(WALKS)
) (
    input  wire                                      clk_i,
    input  wire                                      rst_i,

    // The access of the step in its second cycle; 1 in `access_update_i`: compare-and-set, else a read.
    input  wire                                      access_i,
    input  wire [SLOT_W-1:0]                         slot_i,
    input  wire                                      access_update_i,
    input  wire [55:0]                               access_address_i,
    input  wire [6:0]                                access_size_i,
    input  wire [127:0]                              access_data_i,
    input  wire [23:0]                               access_qos_i,
    input  wire [1:0]                                access_pbmt_i,
    // State that its walk waits in; its request (request_t) and context (context_t).
    input  wire [3:0]                                state_i,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]      request_i,
    input  wire [iommu_spec_pkg::CONTEXT_W-1:0]      context_i,

    // Memory accesses (docs/interfaces.md section 4); the identifier is the slot.
    output wire                                      mem_req_valid_o,
    input  wire                                      mem_req_ready_i,
    output wire [SLOT_W-1:0]                         mem_req_slot_o,
    output wire [1:0]                                mem_req_op_o,
    output wire [55:0]                               mem_req_addr_o,
    output wire [6:0]                                mem_req_size_o,
    output wire [127:0]                              mem_req_wdata_o,
    output wire [23:0]                               mem_req_qos_o,
    output wire [1:0]                                mem_req_pbmt_o,

    // For observation: an access was asked for in the cycle before, its slot, state, and whose it is (event_source_t).
    output wire                                      observed_o,
    output wire [SLOT_W-1:0]                         observed_slot_o,
    output wire [3:0]                                observed_state_o,
    output wire [iommu_spec_pkg::EVENT_SOURCE_W-1:0] observed_source_o
);
  `include "iommu_records.vh"

  localparam int ACCESS_W = SLOT_W + 1 + 56 + 7 + 128 + 24 + 2;
  wire [$clog2(WALKS+1)-1:0] unused_count;
  wire                       room, waits;
  wire                       mem_req_update;
  wire [ACCESS_W-1:0]        head;
  wire [ACCESS_W-1:0]        access =
      {slot_i, access_update_i, access_address_i, access_size_i, access_data_i, access_qos_i, access_pbmt_i};
  // The access of the cycle before if memory did not take it then.
  logic                      late_q;
  logic [ACCESS_W-1:0]       late_access_q;

  fifo #(
      .WIDTH(ACCESS_W),
      .DEPTH(WALKS)
  ) u_queue (
      .clk_i      (clk_i),
      .rst_i      (rst_i),
      .in_valid_i (late_q && (waits || !mem_req_ready_i)),
      .in_ready_o (room),
      .in_data_i  (late_access_q),
      .out_valid_o(waits),
      .out_ready_i(mem_req_ready_i),
      .out_data_o (head),
      .count_o    (unused_count)
  );

  assign mem_req_valid_o = waits || late_q || access_i;
  assign {mem_req_slot_o, mem_req_update, mem_req_addr_o, mem_req_size_o, mem_req_wdata_o, mem_req_qos_o, mem_req_pbmt_o} =
      waits ? head : late_q ? late_access_q : access;
  assign mem_req_op_o = mem_req_update ? iommu_pkg::MEMORY_CAS64 : iommu_pkg::MEMORY_READ;

  // ---- Observation -------------------------------------------------------------------------------------------------------------------
  request_t          request;
  context_t          device;
  event_source_t     source_d, source_q;
  logic              observed_q;
  logic [SLOT_W-1:0] slot_q;
  logic [3:0]        state_q;

  assign request = request_i;
  assign device = context_i;

  // A guest is known with the device context, a process address space once its first stage is.
  always_comb begin
    source_d.did = request.did;
    source_d.pv = request.pv;
    source_d.pid = request.pid;
    source_d.gv = device.second_mode != 4'd0;
    source_d.gscid = device.gscid;
    source_d.pscv = device.resolved && device.first_mode != 4'd0;
    source_d.pscid = device.pscid;
  end

  always_ff @(posedge clk_i) begin
    late_q <= access_i && (waits || late_q || !mem_req_ready_i);
    late_access_q <= access;
    observed_q <= access_i;
    slot_q <= slot_i;
    state_q <= state_i;
    source_q <= source_d;
    if (rst_i) begin
      late_q <= 1'b0;
      observed_q <= 1'b0;
    end
  end

  assign observed_o = observed_q;
  assign observed_slot_o = slot_q;
  assign observed_state_o = state_q;
  assign observed_source_o = source_q;

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i) assert (!late_q || room) else $error("iommu_walk_accesses: queue overflow");
  end
`endif

endmodule
`default_nettype wire
