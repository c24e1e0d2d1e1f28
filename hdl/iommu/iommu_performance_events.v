`default_nettype none
// What the performance counters may count, from three places of the core, one event of each per cycle (iohpmevt):
//   requests   1 untranslated, 2 translated, 3 ATS translation requests, as the request pipeline accepts them
//   misses     4 TLB miss: a request whose answer took a page-table walk, though the walker's caches may spare it the reads; merged
//              requests count each, with the walk's identifiers
//   accesses   5 device directory, 6 process directory, 7 first stage, 8 second stage: one for each memory read of a walk
// Inputs are registers or handshakes of the core, outputs are registers: nothing here lengthens a path of a translation.
module iommu_performance_events #(
    // Walks in flight.
    parameter int WALKS = 8,
    // Derived: bits of a slot number; of an event with its source.
    parameter int SLOT_W = $clog2(WALKS),
    parameter int EVENT_W = 4 + iommu_spec_pkg::EVENT_SOURCE_W
) (
    input  wire                                      clk_i,
    input  wire                                      rst_i,

    // A request was accepted (request_t).
    input  wire                                      request_valid_i,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]      request_i,

    // A walk accesses memory: its slot, its state, which tells reads from updates of A and D, and whose it is (event_source_t).
    input  wire                                      access_valid_i,
    input  wire [SLOT_W-1:0]                         access_slot_i,
    input  wire [3:0]                                access_state_i,
    input  wire [iommu_spec_pkg::EVENT_SOURCE_W-1:0] access_source_i,

    // A walk takes a leaf of the second stage from the walker's cache.
    input  wire                                      reused_i,
    input  wire [SLOT_W-1:0]                         reused_slot_i,

    // A request is answered with the result of a walk; the walk's slot becomes free or walks again.
    input  wire                                      answer_valid_i,
    input  wire                                      answer_last_i,
    input  wire [SLOT_W-1:0]                         answer_slot_i,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]      answer_request_i,
    input  wire [iommu_spec_pkg::CONTEXT_W-1:0]      answer_context_i,

    // {accesses, misses, requests}, each {event number, 0 for none; event_source_t}.
    output wire [3*EVENT_W-1:0]                      events_o
);
  `include "iommu_records.vh"

  request_t             request, answer_request;
  context_t             answer_context;
  event_source_t        request_source, answer_source;
  logic [3:0]           request_event, access_event;
  logic [3*EVENT_W-1:0] events_q;

  assign request = request_i;
  assign answer_request = answer_request_i;
  assign answer_context = answer_context_i;

  // Answers and leaves of the cycle before.
  logic              answered_q, ended_q, reused_q;
  logic [SLOT_W-1:0] answered_slot_q, reused_slot_q;
  event_source_t     answered_source_q;

  // A guest is known with the device context, a process address space once its first stage is.
  wire answer_pscv = answer_context.resolved && answer_context.first_mode != 4'd0;

  assign request_source = {request.did, request.pv, request.pid, 17'd0, 21'd0};
  assign answer_source = {answer_request.did, answer_request.pv, answer_request.pid,
                          answer_context.second_mode != 4'd0, answer_context.gscid, answer_pscv, answer_context.pscid};

  always_comb begin
    case (request.at)
      iommu_spec_pkg::AT_UNTRANSLATED: request_event = iommu_spec_pkg::EVENT_UNTRANSLATED;
      iommu_spec_pkg::AT_TRANSLATED: request_event = iommu_spec_pkg::EVENT_TRANSLATED;
      iommu_spec_pkg::AT_TRANSLATION_REQUEST: request_event = iommu_spec_pkg::EVENT_ATS_REQUEST;
      default: request_event = iommu_spec_pkg::EVENT_NONE;
    endcase
    case (access_state_i)
      iommu_spec_pkg::WALK_DIRECTORY: access_event = iommu_spec_pkg::EVENT_DIRECTORY_WALK;
      iommu_spec_pkg::WALK_PROCESS: access_event = iommu_spec_pkg::EVENT_PROCESS_DIRECTORY_WALK;
      iommu_spec_pkg::WALK_FIRST: access_event = iommu_spec_pkg::EVENT_FIRST_STAGE_WALK;
      iommu_spec_pkg::WALK_SECOND: access_event = iommu_spec_pkg::EVENT_SECOND_STAGE_WALK;
      default: access_event = iommu_spec_pkg::EVENT_NONE;
    endcase
  end

  // ---- Which walks have read a page table, or were spared that by a cached leaf: the IOTLB had missed either way -----------------------
  logic [WALKS-1:0] walked_d, walked_q;
  wire              page_table = access_valid_i &&
      (access_event == iommu_spec_pkg::EVENT_FIRST_STAGE_WALK || access_event == iommu_spec_pkg::EVENT_SECOND_STAGE_WALK);

  always_comb begin
    walked_d = walked_q;
    // The slot may walk again since the cycle before.
    if (ended_q) walked_d[answered_slot_q] = 1'b0;
    if (page_table) walked_d[access_slot_i] = 1'b1;
    if (reused_q) walked_d[reused_slot_q] = 1'b1;
  end

  wire answer_walked = walked_q[answered_slot_q];

  always_ff @(posedge clk_i) begin
    walked_q <= walked_d;
    answered_q <= answer_valid_i;
    ended_q <= answer_last_i;
    reused_q <= reused_i;
    reused_slot_q <= reused_slot_i;
    answered_slot_q <= answer_slot_i;
    answered_source_q <= answer_source;
    events_q <= {access_valid_i ? access_event : iommu_spec_pkg::EVENT_NONE, access_source_i,
                 answered_q && answer_walked ? iommu_spec_pkg::EVENT_TLB_MISS : iommu_spec_pkg::EVENT_NONE,
                 answered_source_q,
                 request_valid_i ? request_event : iommu_spec_pkg::EVENT_NONE, request_source};
    if (rst_i) begin
      walked_q <= '0;
      answered_q <= 1'b0;
      ended_q <= 1'b0;
      reused_q <= 1'b0;
      events_q <= '0;
    end
  end

  assign events_o = events_q;

`ifndef SYNTHESIS
  initial begin
    if ($bits(request_source) != iommu_spec_pkg::EVENT_SOURCE_W)
      $fatal(1, "iommu_performance_events: EVENT_SOURCE_W in iommu_spec_pkg is not the width of its record");
  end

  always_ff @(posedge clk_i) begin
    if (!rst_i) begin
      assert (!page_table || !answer_last_i || access_slot_i != answer_slot_i)
      else $error("iommu_performance_events: a walk reads memory while it is answered");
    end
  end
`endif

endmodule
`default_nettype wire
