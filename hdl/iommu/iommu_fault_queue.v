`default_nettype none
// Fault queue: turns faults into 32-byte records in memory, in order, one at a time (Fault/Event-Queue). The tail moves, and the
// interrupt condition is signalled, only after the record is globally visible. Faults that cannot be recorded are dropped as the
// specification demands: queue off, full (fqof), after an error (fqmf) or an overflow.
module iommu_fault_queue #(
    // Faults that wait for the writer.
    parameter int DEPTH = 8,
    // Derived: bits of an access (iommu_memory_arbiter.v).
    parameter int ACCESS_W = 2 + 56 + 7 + 256 + 32 + 24 + 2
) (
    input  wire                               clk_i,
    input  wire                               rst_i,

    // Faults (fault_t).
    input  wire                               fault_valid_i,
    output wire                               fault_ready_o,
    input  wire [iommu_spec_pkg::FAULT_W-1:0] fault_i,

    // Registers: fqcsr.fqon, fqen, fqmf|fqof; fqb; fqh; physical address size; fctl.BE; iommu_qosid.
    input  wire                               on_i,
    input  wire                               enable_i,
    input  wire                               stopped_i,
    input  wire [43:0]                        base_ppn_i,
    input  wire [4:0]                         log2_size_i,
    input  wire [31:0]                        head_i,
    input  wire [5:0]                         address_bits_i,
    input  wire                               big_endian_i,
    input  wire [23:0]                        qos_i,
    // Sets the tail to 0 (fqen 0 -> 1).
    input  wire                               restart_i,

    output wire [31:0]                        tail_o,
    output wire                               idle_o,
    // Strobes: record dropped because the queue is full, memory error, record written.
    output wire                               overflow_o,
    output wire                               error_o,
    output wire                               written_o,

    // Memory.
    output wire                               mem_valid_o,
    input  wire                               mem_ready_i,
    output wire [ACCESS_W-1:0]                mem_access_o,
    input  wire                               mem_rsp_valid_i,
    input  wire [7:0]                         mem_rsp_err_i
);
  `include "iommu_records.vh"

  typedef enum logic [1:0] {
    IDLE,     // waits for a fault
    REQUEST,  // presents the write
    RESPONSE  // waits until the record is visible
  } state_t;

  wire                               head_valid;
  wire [iommu_spec_pkg::FAULT_W-1:0] head;
  wire [$clog2(DEPTH+1)-1:0]         unused_count;
  logic                              take;
  fault_t                            fault;

  fifo #(
      .WIDTH(iommu_spec_pkg::FAULT_W),
      .DEPTH(DEPTH)
  ) u_faults (
      .clk_i      (clk_i),
      .rst_i      (rst_i),
      .in_valid_i (fault_valid_i),
      .in_ready_o (fault_ready_o),
      .in_data_i  (fault_i),
      .out_valid_o(head_valid),
      .out_ready_i(take),
      .out_data_o (head),
      .count_o    (unused_count)
  );

  assign fault = head;

  state_t      state_d, state_q;
  logic [31:0] tail_d, tail_q;
  logic        overflow, error, written;

  wire [31:0] index_mask = (32'd2 << log2_size_i) - 32'd1;
  wire [31:0] tail_next = (tail_q + 32'd1) & index_mask;
  wire        full = tail_next == (head_i & index_mask);
  wire [55:0] address = {base_ppn_i, 12'd0} | {19'd0, tail_q, 5'd0};
  wire        beyond = (address >> address_bits_i) != '0;

  wire [63:0]  dword0 = {fault.did, 2'd0, fault.ttyp, fault.priv, fault.pv, fault.pid, 3'd0, fault.cause};
  wire [255:0] record;

  generate
    for (genvar i = 0; i < 4; i++) begin : g_dword
      wire [63:0] dword = i == 0 ? dword0 : i == 1 ? 64'd0 : i == 2 ? fault.iotval : fault.iotval2;
      assign record[64*i +: 64] = big_endian_i ? iommu_spec_pkg::reversed(dword) : dword;
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
        if (head_valid) begin
          if (!on_i || !enable_i || stopped_i) take = 1'b1;
          else if (full) begin
            overflow = 1'b1;
            take = 1'b1;
          end else if (beyond) begin
            error = 1'b1;
            take = 1'b1;
          end else state_d = REQUEST;
        end
      end
      REQUEST: if (mem_ready_i) state_d = RESPONSE;
      RESPONSE: begin
        if (mem_rsp_valid_i) begin
          take = 1'b1;
          state_d = IDLE;
          if (mem_rsp_err_i[3:0] != '0) error = 1'b1;
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
    if (rst_i) begin
      state_q <= IDLE;
      tail_q <= '0;
    end
  end

  assign tail_o = tail_q;
  assign idle_o = state_q == IDLE;
  assign overflow_o = overflow;
  assign error_o = error;
  assign written_o = written;
  assign mem_valid_o = state_q == REQUEST;
  assign mem_access_o = {iommu_pkg::MEMORY_WRITE, address, 7'd32, record, 32'hFFFFFFFF, qos_i, 2'd0};

endmodule
`default_nettype wire
