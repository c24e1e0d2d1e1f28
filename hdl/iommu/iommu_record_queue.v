`default_nettype none
// Writer of a queue in memory that the IOMMU fills, faults or page requests (Fault/Event-Queue, Page-Request-Queue): one record at a
// time. The tail moves only after the record is globally visible. A record that cannot be stored is dropped as the specification
// demands: queue off, stopped by an earlier error, full, write refused.
module iommu_record_queue #(
    // 64-bit words of a record, 2 or 4.
    parameter int DWORDS = 4,
    // Derived: bits of an access (iommu_memory_arbiter.v).
    parameter int ACCESS_W = 2 + 56 + 7 + 256 + 32 + 24 + 2
) (
    input  wire                 clk_i,
    input  wire                 rst_i,

    // Record, held until `record_ready_o`: the cycle in which it was written or dropped.
    input  wire                 record_valid_i,
    output wire                 record_ready_o,
    input  wire [64*DWORDS-1:0] record_i,

    // Registers: on and enable of the CSR, an error bit is set; base; head; page number bits beyond the physical address
    // size; fctl.BE; iommu_qosid.
    input  wire                 on_i,
    input  wire                 enable_i,
    input  wire                 stopped_i,
    input  wire [43:0]          base_ppn_i,
    input  wire [4:0]           log2_size_i,
    input  wire [31:0]          head_i,
    input  wire [43:0]          beyond_i,
    input  wire                 big_endian_i,
    input  wire [23:0]          qos_i,
    // Sets the tail to 0 (enable 0 -> 1).
    input  wire                 restart_i,

    output wire [31:0]          tail_o,
    // No record is written, nor will be one that waits.
    output wire                 idle_o,
    // Strobes with `record_ready_o`: dropped because the queue is full, because the write was refused, record written.
    output wire                 overflow_o,
    output wire                 error_o,
    output wire                 written_o,

    // Memory.
    output wire                 mem_valid_o,
    input  wire                 mem_ready_i,
    output wire [ACCESS_W-1:0]  mem_access_o,
    input  wire                 mem_rsp_valid_i,
    input  wire [7:0]           mem_rsp_err_i
);

  localparam int ENTRY_BYTES = 8 * DWORDS;

  typedef enum logic [1:0] {
    IDLE,     // waits for a record
    CHECK,    // drops it or goes on
    REQUEST,  // presents the write
    RESPONSE  // waits until the record is visible
  } state_t;

  state_t      state_d, state_q;
  logic [31:0] tail_d, tail_q;
  logic        take, overflow, error, written;

  wire [31:0]  index_mask = (32'd2 << log2_size_i) - 32'd1;
  wire [31:0]  tail_next = (tail_q + 32'd1) & index_mask;
  wire         full = tail_next == (head_i & index_mask);
  wire [55:0]  address = {base_ppn_i, 12'd0} | 56'(tail_q) * 56'(ENTRY_BYTES);
  wire         beyond = (address[55:12] & beyond_i) != '0;
  wire [255:0] data;

  // Of the cycle before. The tail does not move in IDLE, so that all is known of a record that is checked. `on_i` falls at the earliest a
  // cycle after `enable_i`, so that a record that is not dropped holds it up.
  logic        off_q, full_q, beyond_q, answered_q, refused_q;

  generate
    for (genvar i = 0; i < 4; i++) begin : g_dword
      if (i < DWORDS) begin : g_used
        wire [63:0] dword = record_i[64*i +: 64];
        assign data[64*i +: 64] = big_endian_i ? iommu_spec_pkg::reversed(dword) : dword;
      end else begin : g_unused
        assign data[64*i +: 64] = 64'd0;
      end
    end

    if (DWORDS != 2 && DWORDS != 4) begin : g_check_size
      initial $fatal(1, "iommu_record_queue: DWORDS must be 2 or 4");
    end
  endgenerate

  always_comb begin
    state_d = state_q;
    tail_d = tail_q;
    take = 1'b0;
    overflow = 1'b0;
    error = 1'b0;
    written = 1'b0;
    case (state_q)
      IDLE: begin
        if (record_valid_i) state_d = CHECK;
      end
      CHECK: begin
        take = off_q || full_q || beyond_q;
        overflow = !off_q && full_q;
        error = !off_q && !full_q && beyond_q;
        if (take) state_d = IDLE;
        else state_d = REQUEST;
      end
      REQUEST: if (mem_ready_i) state_d = RESPONSE;
      RESPONSE: begin
        if (answered_q) begin
          take = 1'b1;
          state_d = IDLE;
          if (refused_q) error = 1'b1;
          else begin
            written = 1'b1;
            tail_d = tail_next;
          end
        end
      end
      default: state_d = IDLE;
    endcase
    if (restart_i) tail_d = '0;
  end

  always_ff @(posedge clk_i) begin
    state_q <= state_d;
    tail_q <= tail_d;
    off_q <= !on_i || !enable_i || stopped_i;
    full_q <= full;
    beyond_q <= beyond;
    answered_q <= mem_rsp_valid_i;
    refused_q <= mem_rsp_err_i[DWORDS-1:0] != '0;
    if (rst_i) begin
      state_q <= IDLE;
      tail_q <= '0;
      answered_q <= 1'b0;
    end
  end

  assign record_ready_o = take;
  assign tail_o = tail_q;
  assign idle_o = state_q == IDLE || (state_q == CHECK && off_q);
  assign overflow_o = overflow;
  assign error_o = error;
  assign written_o = written;
  assign mem_valid_o = state_q == REQUEST;
  assign mem_access_o = {iommu_pkg::MEMORY_WRITE, address, 7'(ENTRY_BYTES), data, 32'((64'd1 << ENTRY_BYTES) - 64'd1), qos_i, 2'd0};

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i) assert (!restart_i || idle_o) else $error("iommu_record_queue: restarted while a record is written");
  end
`endif

`ifdef FORMAL
  // Proof `iommu_record_queue` (fault queue and page request queue): the queue in memory never overruns its reader, its tail moves
  // by one, only when a record is visible (RISC-V IOMMU, Fault/Event-Queue: at most size - 1 records; full sets the overflow bit).
  logic f_started_q = 1'b0;
  always_ff @(posedge clk_i) f_started_q <= 1'b1;
  always_comb if (!f_started_q) assume (rst_i);

  // Registers of the queue stay while it is on, and restart comes before (iommu_registers.v); software moves the head only over
  // records that are there; memory answers what was asked (iommu_memory_arbiter.v).
  logic [4:0]  f_size_q;
  logic [31:0] f_head_q;
  logic        f_asked_q, f_restarted_q, f_off_q;
  wire  [31:0] f_mask = (32'd2 << log2_size_i) - 32'd1;
  wire  [31:0] f_taken = (head_i - f_head_q) & f_mask;
  wire  [31:0] f_were = (tail_q - f_head_q) & f_mask;

  always_ff @(posedge clk_i) begin
    f_size_q <= log2_size_i;
    f_head_q <= head_i;
    f_restarted_q <= restart_i || rst_i;
    f_off_q <= !on_i || !enable_i || stopped_i;
    if (mem_valid_o && mem_ready_i) f_asked_q <= 1'b1;
    if (mem_rsp_valid_i || rst_i) f_asked_q <= 1'b0;
  end
  always_comb begin
    assume (!restart_i || idle_o);
    assume (!mem_rsp_valid_i || f_asked_q);
    assume (!f_started_q || log2_size_i == f_size_q || f_restarted_q);
    assume (log2_size_i <= 5'd30);
    if (!f_started_q || f_restarted_q) assume (head_i == '0);
    else assume (head_i <= f_mask && f_taken <= f_were);
    assume (!restart_i || !on_i);
  end

  logic [31:0] f_tail_q;
  logic        f_written_q;
  always_ff @(posedge clk_i) begin
    f_tail_q <= tail_q;
    f_written_q <= written_o;
  end

  always_comb begin
    if (f_started_q && !rst_i) begin
      tail_below_size: assert (f_restarted_q ? tail_q == '0 : tail_q <= f_mask);
      tail_moves_by_one: assert (f_restarted_q || tail_q == f_tail_q || (f_written_q && tail_q == ((f_tail_q + 32'd1) & f_mask)));
      // The tail never reaches the head from behind: records that software has not taken are never written over.
      no_write_over_a_record: assert (state_q == IDLE || (state_q == CHECK && (off_q || full_q)) || tail_next != head_i);
      // A write is presented only to a queue that was on and not stopped; a record leaves only written, or dropped with a reason.
      waits_for_the_write: assert ((state_q == RESPONSE) == (f_asked_q || answered_q));
      leaves_with_a_reason: assert (!record_ready_o || written_o || overflow_o || error_o || f_off_q);
      writes_only_while_on: assert (!(state_q != REQUEST && state_d == REQUEST) || !f_off_q);
      one_reason: assert (2'(written_o) + 2'(overflow_o) + 2'(error_o) <= 2'd1);
      fills: cover (overflow_o && log2_size_i == 5'd1 && tail_q == 32'd3);
      wraps: cover (written_o && tail_next == '0 && log2_size_i != '0);
    end
  end
`endif

endmodule
`default_nettype wire
