`default_nettype none
// Results of walks, one at a time in a register, the others in a waiting list. A success that ends with the entry just read comes into the
// register in the third cycle of its step if nothing is before it. Of any other end iommu_walk_conclude makes the result in the third
// cycle, iommu_walk_outcome its answer in the fourth; then it waits, as a success does that comes while there is a result: its slot stands
// in the list, its record in memory.
module iommu_walk_results #(
    // Walks in flight, 2 or more.
    parameter int WALKS = 8,
    // Bits of a request's identifier.
    parameter int ID_W = 8,
    // Derived: bits of a slot number.
    parameter int SLOT_W = $clog2(WALKS)
) (
    input  wire                                 clk_i,
    input  wire                                 rst_i,

    // The step in its second cycle: its walk is done; it ends in success with the entry just read, if the step counts, and it does;
    // its slot, request (request_t), context (context_t), what the first cycle found (finding_t), why it ends (iommu_walk_advance.v), its
    // record (walk_t), and that of such a success.
    input  wire                                 done_i,
    input  wire                                 success_i,
    input  wire                                 ends_i,
    input  wire [SLOT_W-1:0]                    slot_i,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0] request_i,
    input  wire [iommu_spec_pkg::CONTEXT_W-1:0] context_i,
    input  wire [iommu_spec_pkg::FINDING_W-1:0] finding_i,
    input  wire [4:0]                           end_i,
    input  wire [iommu_spec_pkg::WALK_W-1:0]    walk_i,
    input  wire [iommu_spec_pkg::WALK_W-1:0]    ended_walk_i,
    // Request and context of the step of the cycle before, as it left them.
    input  wire [iommu_spec_pkg::REQUEST_W-1:0] last_request_i,
    input  wire [iommu_spec_pkg::CONTEXT_W-1:0] last_context_i,

    // Request and context of the slot that has waited longest.
    output wire [SLOT_W-1:0]                    head_o,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0] head_request_i,
    input  wire [iommu_spec_pkg::CONTEXT_W-1:0] head_context_i,
    // Slot of the result that comes into the register in this cycle, if one does: identifier, epoch, an invalidation came.
    output wire [SLOT_W-1:0]                    next_o,
    input  wire [ID_W-1:0]                      next_id_i,
    input  wire                                 next_epoch_i,
    input  wire                                 next_squashed_i,
    // An invalidation that counts for every walk in flight.
    input  wire                                 invalidate_i,

    // The result, held until `release_i`.
    output wire                                 result_valid_o,
    output wire [SLOT_W-1:0]                    result_slot_o,
    output wire [iommu_spec_pkg::REQUEST_W-1:0] result_request_o,
    output wire [ID_W-1:0]                      result_id_o,
    output wire                                 result_epoch_o,
    output wire [iommu_spec_pkg::CONTEXT_W-1:0] result_context_o,
    output wire [iommu_spec_pkg::WALK_W-1:0]    result_walk_o,
    output wire                                 result_squashed_o,
    input  wire                                 release_i
);
  `include "iommu_records.vh"

  // ---- Third cycle: the walk whose last step was in the cycle before -------------------------------------------------------------------
  logic                                 last_q, last_ends_q; // there is one; it ended in success with the entry just read
  logic [SLOT_W-1:0]                    last_slot_q;
  logic [iommu_spec_pkg::WALK_W-1:0]    last_walk_q, last_ended_walk_q;
  logic [iommu_spec_pkg::FINDING_W-1:0] last_finding_q;
  logic [4:0]                           last_end_q;
  wire                                  concluded_fault;
  wire  [iommu_spec_pkg::WALK_W-1:0]    concluded_walk;
  request_t                             last_request;
  context_t                             last_context;

  assign last_request = last_request_i;
  assign last_context = last_context_i;

  iommu_walk_conclude u_conclude (
      .request_i(last_request_i),
      .context_i(last_context_i),
      .walk_i   (last_walk_q),
      .finding_i(last_finding_q),
      .end_i    (last_end_q),
      .fault_o  (concluded_fault),
      .walk_o   (concluded_walk)
  );

  // ---- Fourth cycle: faults, and what ends behind one -----------------------------------------------------------------------------------
  logic                                 concluded_q, concluded_fault_q, concluded_probe_q, concluded_dtf_q;
  logic [SLOT_W-1:0]                    concluded_slot_q;
  logic [iommu_spec_pkg::WALK_W-1:0]    concluded_walk_q;
  wire  [iommu_spec_pkg::WALK_W-1:0]    answered_walk;

  iommu_walk_outcome u_outcome (
      .walk_i (concluded_walk_q),
      .fault_i(concluded_fault_q),
      .probe_i(concluded_probe_q),
      .dtf_i  (concluded_dtf_q),
      .walk_o (answered_walk)
  );

  // ---- The waiting list, and the records of those in it ---------------------------------------------------------------------------------
  logic [iommu_spec_pkg::WALK_W-1:0]    ended_q [0:WALKS-1];
  logic                                 valid_d, valid_q;
  wire                                  waits, room;
  wire  [SLOT_W-1:0]                    head;
  wire  [$clog2(WALKS+1)-1:0]           unused_count;
  wire                                  queues = last_q && (!last_ends_q || valid_q || waits);
  wire                                  queues_success = queues && last_ends_q && !concluded_q;
  wire                                  joins = concluded_q || queues_success;
  wire  [SLOT_W-1:0]                    joining_slot = concluded_q ? concluded_slot_q : last_slot_q;

  fifo #(
      .WIDTH(SLOT_W),
      .DEPTH(WALKS)
  ) u_waiting (
      .clk_i      (clk_i),
      .rst_i      (rst_i),
      .in_valid_i (joins),
      .in_ready_o (room),
      .in_data_i  (joining_slot),
      .out_valid_o(waits),
      .out_ready_i(!valid_q),
      .out_data_o (head),
      .count_o    (unused_count)
  );

  always_ff @(posedge clk_i) begin
    last_q <= done_i && !(ends_i && !valid_q && !waits && !last_q);
    last_slot_q <= slot_i;
    last_walk_q <= walk_i;
    last_ends_q <= success_i;
    last_ended_walk_q <= ended_walk_i;
    last_finding_q <= finding_i;
    last_end_q <= end_i;
    concluded_q <= queues && !queues_success;
    concluded_slot_q <= last_slot_q;
    concluded_walk_q <= concluded_walk;
    concluded_fault_q <= concluded_fault;
    concluded_probe_q <= last_request.at == iommu_spec_pkg::AT_TRANSLATION_REQUEST;
    concluded_dtf_q <= last_context.dtf;
    if (joins) ended_q[joining_slot] <= concluded_q ? answered_walk : last_ended_walk_q;
    if (rst_i) begin
      last_q <= 1'b0;
      concluded_q <= 1'b0;
    end
  end

  // ---- The register: loaded from the slot of one that waits, or from a success of the last cycle or of this one -------------------------
  // !valid_q, for what is loaded: the answer has enough to drive with one.
  logic                                 free_q;
  logic                                 epoch_q, squashed_q;
  logic [SLOT_W-1:0]                    slot_q;
  logic [iommu_spec_pkg::REQUEST_W-1:0] request_q;
  logic [ID_W-1:0]                      id_q;
  logic [iommu_spec_pkg::CONTEXT_W-1:0] context_q;
  logic [iommu_spec_pkg::WALK_W-1:0]    walk_q;
  wire  [SLOT_W-1:0]                    next = waits ? head : last_q ? last_slot_q : slot_i;

  always_comb valid_d = valid_q ? !release_i : waits || (last_q ? last_ends_q : ends_i);

  always_ff @(posedge clk_i) begin
    valid_q <= valid_d;
    free_q <= !valid_d;
    squashed_q <= (free_q ? next_squashed_i : squashed_q) || invalidate_i;
    // What stands there while there is none does not matter.
    if (free_q) begin
      slot_q <= next;
      request_q <= waits ? head_request_i : last_q ? last_request_i : request_i;
      context_q <= waits ? head_context_i : last_q ? last_context_i : context_i;
      walk_q <= waits ? ended_q[head] : last_q ? last_ended_walk_q : ended_walk_i;
      id_q <= next_id_i;
      epoch_q <= next_epoch_i;
    end
    if (rst_i) begin
      valid_q <= 1'b0;
      free_q <= 1'b1;
    end
  end

  assign head_o = head;
  assign next_o = next;
  assign result_valid_o = valid_q;
  assign result_slot_o = slot_q;
  assign result_request_o = request_q;
  assign result_id_o = id_q;
  assign result_epoch_o = epoch_q;
  assign result_context_o = context_q;
  assign result_walk_o = walk_q;
  assign result_squashed_o = squashed_q;

`ifndef SYNTHESIS
  // A walk that ends at once, concluded as well: the parts of the record that tell a reader what the result is.
  logic  at_once_q;
  walk_t walk_ends, walk_known;

  always_comb begin
    walk_ends = concluded_walk;
    walk_known = last_ended_walk_q;
    {walk_known.big_endian, walk_known.place, walk_known.asked} = {walk_ends.big_endian, walk_ends.place, walk_ends.asked};
    {walk_known.device, walk_known.process} = {walk_ends.device, walk_ends.process};
    {walk_known.level, walk_known.second_level} = {walk_ends.level, walk_ends.second_level};
    {walk_known.table_w, walk_known.table_pbmt} = {walk_ends.table_w, walk_ends.table_pbmt};
  end

  always_ff @(posedge clk_i) begin
    at_once_q <= ends_i && !rst_i;
    if (!rst_i) begin
      assert (!joins || room) else $error("iommu_walk_results: queue overflow");
      assert (!ends_i || done_i) else $error("iommu_walk_results: a walk that ends goes on");
      assert (!at_once_q || walk_ends == walk_known) else $error("iommu_walk_results: a walk ends otherwise than was said");
      assert (!release_i || valid_q) else $error("iommu_walk_results: no result is ended");
    end
  end
`endif

endmodule
`default_nettype wire
