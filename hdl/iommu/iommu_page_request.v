`default_nettype none
// Page requests of devices (PCIe ATS Page Request handling, Page-Request-Queue): one at a time in order of arrival. The walker locates
// the device context and checks that it allows them (a walk of kind AT_MESSAGE, which also records faults); then the request is
// written to the queue in memory. A request that is refused or cannot be queued is answered with a page-request-group response
// where it is the last of its group and no Stop Marker, and dropped otherwise.
module iommu_page_request #(
    // Page requests that wait.
    parameter int DEPTH = 8,
    // Derived: bits of an access (iommu_memory_arbiter.v).
    parameter int ACCESS_W = 2 + 56 + 7 + 256 + 32 + 24 + 2
) (
    input  wire                                      clk_i,
    input  wire                                      rst_i,

    // Page request messages (page_request_t).
    input  wire                                      request_valid_i,
    output wire                                      request_ready_o,
    input  wire [iommu_spec_pkg::PAGE_REQUEST_W-1:0] request_i,

    // Walk (request_t), always taken, and its result: allowed, else cause; DC.tc.PRPR where a device context was located, else 0.
    output wire                                      walk_valid_o,
    output wire [iommu_spec_pkg::REQUEST_W-1:0]      walk_request_o,
    input  wire                                      walked_i,
    input  wire                                      walked_allowed_i,
    input  wire [8:0]                                walked_cause_i,
    input  wire                                      walked_prpr_i,

    // Change of the directory (iommu_registers.v): no walk starts while `hold_i`; none is in flight.
    input  wire                                      hold_i,
    output wire                                      idle_o,
    // Fence: no walk that was in flight at `flip_i` still is.
    input  wire                                      flip_i,
    output wire                                      drained_o,

    // Registers: pqcsr.pqon, pqen, pqmf, pqmf|pqof; pqb; pqh; page number bits beyond the physical address
    // size; fctl.BE; iommu_qosid.
    input  wire                                      on_i,
    input  wire                                      enable_i,
    input  wire                                      memory_fault_i,
    input  wire                                      stopped_i,
    input  wire [43:0]                               base_ppn_i,
    input  wire [4:0]                                log2_size_i,
    input  wire [31:0]                               head_i,
    input  wire [43:0]                               beyond_i,
    input  wire                                      big_endian_i,
    input  wire [23:0]                               qos_i,
    // Sets the tail to 0 (pqen 0 -> 1).
    input  wire                                      restart_i,

    output wire [31:0]                               tail_o,
    output wire                                      queue_idle_o,
    // Strobes: record dropped because the queue is full (pqof), memory error (pqmf), record written.
    output wire                                      overflow_o,
    output wire                                      error_o,
    output wire                                      written_o,

    // Response to a device (message_t).
    output wire                                      message_valid_o,
    input  wire                                      message_ready_i,
    output wire [iommu_spec_pkg::MESSAGE_W-1:0]      message_o,

    // Memory.
    output wire                                      mem_valid_o,
    input  wire                                      mem_ready_i,
    output wire [ACCESS_W-1:0]                       mem_access_o,
    input  wire                                      mem_rsp_valid_i,
    input  wire [7:0]                                mem_rsp_err_i
);
  `include "iommu_records.vh"

  localparam [3:0] CODE_SUCCESS = 4'h0;
  localparam [3:0] CODE_INVALID = 4'h1;
  localparam [3:0] CODE_FAILURE = 4'hF;

  typedef enum logic [2:0] {
    IDLE,    // waits for a page request
    WALK,    // presents the walk
    WALKED,  // waits for its result
    RECORD,  // hands the record to the queue
    RESPOND, // presents the response
    TAKE     // takes the page request from its queue
  } state_t;

  wire                                      head_valid;
  wire [iommu_spec_pkg::PAGE_REQUEST_W-1:0] head;
  wire [$clog2(DEPTH+1)-1:0]                unused_count;
  logic                                     take;
  page_request_t                            page_request;

  fifo #(
      .WIDTH(iommu_spec_pkg::PAGE_REQUEST_W),
      .DEPTH(DEPTH)
  ) u_requests (
      .clk_i      (clk_i),
      .rst_i      (rst_i),
      .in_valid_i (request_valid_i),
      .in_ready_o (request_ready_o),
      .in_data_i  (request_i),
      .out_valid_o(head_valid),
      .out_ready_i(take),
      .out_data_o (head),
      .count_o    (unused_count)
  );

  assign page_request = head;

  wire [19:0] pid = page_request.pv ? page_request.pid : 20'd0;
  wire        priv = page_request.pv && page_request.priv;
  wire        exec = page_request.pv && page_request.exec;
  wire        last = page_request.payload[2];
  wire        stop_marker = page_request.payload[2:0] == 3'b100;

  // ---- Queue --------------------------------------------------------------------------------------------------------------------
  state_t state_d, state_q;
  wire    record_ready;

  iommu_record_queue #(
      .DWORDS(2)
  ) u_queue (
      .clk_i          (clk_i),
      .rst_i          (rst_i),
      .record_valid_i (state_q == RECORD),
      .record_ready_o (record_ready),
      .record_i       ({page_request.payload, page_request.did, 5'd0, exec, priv, page_request.pv, pid, 12'd0}),
      .on_i           (on_i),
      .enable_i       (enable_i),
      .stopped_i      (stopped_i),
      .base_ppn_i     (base_ppn_i),
      .log2_size_i    (log2_size_i),
      .head_i         (head_i),
      .beyond_i       (beyond_i),
      .big_endian_i   (big_endian_i),
      .qos_i          (qos_i),
      .restart_i      (restart_i),
      .tail_o         (tail_o),
      .idle_o         (queue_idle_o),
      .overflow_o     (overflow_o),
      .error_o        (error_o),
      .written_o      (written_o),
      .mem_valid_o    (mem_valid_o),
      .mem_ready_i    (mem_ready_i),
      .mem_access_o   (mem_access_o),
      .mem_rsp_valid_i(mem_rsp_valid_i),
      .mem_rsp_err_i  (mem_rsp_err_i)
  );

  // ---- Sequence -----------------------------------------------------------------------------------------------------------------
  logic [3:0] code_d, code_q;
  logic       prpr_d, prpr_q, old_d, old_q;
  logic       walked_q, allowed_q;   // the walk's result came in the cycle before
  logic       answers_q;             // the device waits for a response; `head` stands since it was walked
  logic       off_q;                 // of the cycle before, like the verdict of the queue

  always_comb begin
    state_d = state_q;
    code_d = code_q;
    prpr_d = prpr_q;
    take = 1'b0;
    case (state_q)
      IDLE: if (head_valid && !hold_i) state_d = WALK;
      WALK: state_d = WALKED;
      WALKED: begin
        if (!walked_q) begin
          prpr_d = walked_prpr_i;
          code_d = walked_cause_i == iommu_spec_pkg::CAUSE_TRANSACTION_DISALLOWED ? CODE_INVALID : CODE_FAILURE;
        end else if (allowed_q) state_d = RECORD;
        else state_d = RESPOND;
      end
      RECORD: begin
        if (record_ready) begin
          // A full queue or an overflow before: the device may ask again. Queue off, a refused write now or before: it may not.
          code_d = off_q || error_o ? CODE_FAILURE : CODE_SUCCESS;
          if (written_o) state_d = TAKE;
          else state_d = RESPOND;
        end
      end
      RESPOND: begin
        if (message_ready_i || !message_valid_o) state_d = TAKE;
      end
      TAKE: begin
        state_d = IDLE;
        take = 1'b1;
      end
      default: state_d = IDLE;
    endcase
    old_d = !idle_o && (flip_i || old_q);
  end

  always_ff @(posedge clk_i) begin
    state_q <= state_d;
    code_q <= code_d;
    prpr_q <= prpr_d;
    walked_q <= walked_i;
    allowed_q <= walked_allowed_i;
    answers_q <= last && !stop_marker;
    off_q <= !on_i || !enable_i || memory_fault_i;
    old_q <= old_d;
    if (rst_i) begin
      state_q <= IDLE;
      walked_q <= 1'b0;
      old_q <= 1'b0;
    end
  end

  assign walk_valid_o = state_q == WALK;
  assign idle_o = state_q != WALK && state_q != WALKED;
  assign drained_o = !old_q;

  request_t walk_request;

  always_comb begin
    walk_request = '0;
    walk_request.did = page_request.did;
    walk_request.pv = page_request.pv;
    walk_request.pid = pid;
    walk_request.priv = priv;
    walk_request.at = iommu_spec_pkg::AT_MESSAGE;
    walk_request.iova = {56'd0, iommu_spec_pkg::MESSAGE_PAGE_REQUEST};
  end

  assign walk_request_o = walk_request;

  // ---- Response -----------------------------------------------------------------------------------------------------------------
  message_t response;

  always_comb begin
    response = '0;
    response.dsv = page_request.dsv;
    response.dseg = page_request.dsv ? page_request.did[23:16] : '0;
    response.rid = page_request.did[15:0];
    response.pv = page_request.pv && (code_q == CODE_FAILURE || prpr_q);
    response.pid = response.pv ? pid : '0;
    response.payload = {page_request.did[15:0], code_q, 3'd0, page_request.payload[11:3], 32'd0};
  end

  assign message_valid_o = state_q == RESPOND && answers_q;
  assign message_o = response;

`ifndef SYNTHESIS
  initial begin
    if ($bits(page_request) != iommu_spec_pkg::PAGE_REQUEST_W || $bits(response) != iommu_spec_pkg::MESSAGE_W)
      $fatal(1, "iommu_page_request: PAGE_REQUEST_W or MESSAGE_W in iommu_spec_pkg is not the width of its record");
  end

  always_ff @(posedge clk_i) begin
    if (!rst_i) assert (!walked_i || state_q == WALKED) else $error("iommu_page_request: result of a walk that was not asked for");
  end
`endif

endmodule
`default_nettype wire
