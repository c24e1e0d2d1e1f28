`default_nettype none
// Fault queue: faults in order, each a 32-byte record in memory (Fault/Event-Queue; iommu_record_queue writes or drops it). The tail
// moves, and the interrupt condition is signalled, only after the record is globally visible.
module iommu_fault_queue #(
    // Faults that wait for the writer.
    parameter int DEPTH = 8,
    // Derived: bits of an access (iommu_memory_arbiter.v).
    parameter int ACCESS_W = 2 + 56 + 7 + 256 + 32 + 24 + 2
) (
    input  wire                               clk_i,
    input  wire                               rst_i,

    // Faults (fault_t); `fault_ready_o` is a register.
    input  wire                               fault_valid_i,
    output wire                               fault_ready_o,
    input  wire [iommu_spec_pkg::FAULT_W-1:0] fault_i,

    // Registers: fqcsr.fqon, fqen, fqmf|fqof; fqb; fqh; page number bits beyond the physical address size;
    // fctl.BE; iommu_qosid.
    input  wire                               on_i,
    input  wire                               enable_i,
    input  wire                               stopped_i,
    input  wire [43:0]                        base_ppn_i,
    input  wire [4:0]                         log2_size_i,
    input  wire [31:0]                        head_i,
    input  wire [43:0]                        beyond_i,
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

  localparam int COUNT_W = $clog2(DEPTH + 1);

  wire                               head_valid, take;
  wire [iommu_spec_pkg::FAULT_W-1:0] head;
  wire [COUNT_W-1:0]                 count;
  wire                               room;
  fault_t                            fault;

  // Room beside a fault of the cycle before: an answer waits for it, so it is a register.
  logic ready_q;

  assign fault_ready_o = ready_q;

  always_ff @(posedge clk_i) begin
    ready_q <= count < COUNT_W'(DEPTH - 1);
    if (rst_i) ready_q <= 1'b1;
  end

  fifo #(
      .WIDTH(iommu_spec_pkg::FAULT_W),
      .DEPTH(DEPTH)
  ) u_faults (
      .clk_i      (clk_i),
      .rst_i      (rst_i),
      .in_valid_i (fault_valid_i && ready_q),
      .in_ready_o (room),
      .in_data_i  (fault_i),
      .out_valid_o(head_valid),
      .out_ready_i(take),
      .out_data_o (head),
      .count_o    (count)
  );

  assign fault = head;

  wire [63:0] dword0 = {fault.did, 2'd0, fault.ttyp, fault.priv, fault.pv, fault.pid, 3'd0, fault.cause};

  iommu_record_queue #(
      .DWORDS(4)
  ) u_queue (
      .clk_i          (clk_i),
      .rst_i          (rst_i),
      .record_valid_i (head_valid),
      .record_ready_o (take),
      .record_i       ({fault.iotval2, fault.iotval, 64'd0, dword0}),
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
      .idle_o         (idle_o),
      .overflow_o     (overflow_o),
      .error_o        (error_o),
      .written_o      (written_o),
      .mem_valid_o    (mem_valid_o),
      .mem_ready_i    (mem_ready_i),
      .mem_access_o   (mem_access_o),
      .mem_rsp_valid_i(mem_rsp_valid_i),
      .mem_rsp_err_i  (mem_rsp_err_i)
  );

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i) begin
      assert (!ready_q || room) else $error("iommu_fault_queue: a fault finds no room");
    end
  end
`endif

endmodule
`default_nettype wire
