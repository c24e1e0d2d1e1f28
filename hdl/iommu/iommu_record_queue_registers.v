`default_nettype none
// Registers of a queue that the IOMMU fills: base (fqb, pqb), head (fqh, pqh), control and status (fqcsr, pqcsr) and the pending bit of its
// interrupt in ipsr. An error that occurs in the cycle in which software clears its bit stays.
module iommu_record_queue_registers (
    input  wire        clk_i,
    input  wire        rst_i,

    // Writes of the halves of the base register, of the head and of the CSR; ones written to the pending bit clear it.
    input  wire        write_base_lo_i,
    input  wire        write_base_hi_i,
    input  wire        write_head_i,
    input  wire        write_csr_i,
    input  wire        clear_pending_i,
    // Data written: the low half of the base register, its high half, head, CSR.
    input  wire [31:0] base_lo_i,
    input  wire [31:0] base_hi_i,
    input  wire [31:0] head_i,
    input  wire [31:0] csr_i,

    // Queue (iommu_record_queue.v): no write in progress; strobes of the fate of a record.
    input  wire        idle_i,
    input  wire        overflow_i,
    input  wire        error_i,
    input  wire        written_i,

    // State for the queue. `memory_fault_o`: the error bit of a refused write; `stopped_o`: any error bit; `restart_o`: the tail becomes 0.
    output wire        on_o,
    output wire        enable_o,
    output wire        memory_fault_o,
    output wire        stopped_o,
    output wire        restart_o,
    output wire [43:0] ppn_o,
    output wire [4:0]  log2_size_o,
    output wire [31:0] head_o,

    // As read: base register, CSR; pending bit.
    output wire [63:0] base_o,
    output wire [31:0] csr_o,
    output wire        pending_o
);

  logic [43:0] ppn_d, ppn_q;
  logic [4:0]  log2_d, log2_q;
  logic [31:0] head_d, head_q;
  logic        enable_d, enable_q, interrupt_d, interrupt_q, fault_d, fault_q, overflow_d, overflow_q, on_d, on_q;
  logic        pending_d, pending_q, missed_d, missed_q;
  wire         start = enable_q && !on_q;
  wire [31:0]  index_mask = (32'd2 << log2_q) - 32'd1;

  always_comb begin
    ppn_d = ppn_q;
    log2_d = log2_q;
    head_d = head_q;
    if (write_base_hi_i) ppn_d[43:22] = base_hi_i[21:0];
    if (write_base_lo_i) begin
      ppn_d[21:0] = base_lo_i[31:10];
      log2_d = base_lo_i[4:0];
      head_d = '0;
    end
    if (write_head_i) head_d = head_i & index_mask;
  end

  always_comb begin
    enable_d = enable_q;
    interrupt_d = interrupt_q;
    fault_d = fault_q;
    overflow_d = overflow_q;
    if (write_csr_i) begin
      enable_d = csr_i[0];
      interrupt_d = csr_i[1];
      fault_d = fault_q && !csr_i[8];
      overflow_d = overflow_q && !csr_i[9];
    end
    if (start) begin
      fault_d = 1'b0;
      overflow_d = 1'b0;
    end
    fault_d = fault_d || error_i;
    overflow_d = overflow_d || overflow_i;
    on_d = enable_q || (on_q && !idle_i);
    // Cleared for one cycle even while its cause persists: the rise after it is a new interrupt.
    missed_d = clear_pending_i && written_i;
    pending_d = !clear_pending_i && (pending_q || (interrupt_q && (fault_q || overflow_q || written_i || missed_q)));
  end

  always_ff @(posedge clk_i) begin
    ppn_q <= ppn_d;
    log2_q <= log2_d;
    head_q <= head_d;
    enable_q <= enable_d;
    interrupt_q <= interrupt_d;
    fault_q <= fault_d;
    overflow_q <= overflow_d;
    on_q <= on_d;
    pending_q <= pending_d;
    missed_q <= missed_d;
    if (rst_i) begin
      ppn_q <= '0;
      log2_q <= '0;
      head_q <= '0;
      enable_q <= 1'b0;
      interrupt_q <= 1'b0;
      fault_q <= 1'b0;
      overflow_q <= 1'b0;
      on_q <= 1'b0;
      pending_q <= 1'b0;
      missed_q <= 1'b0;
    end
  end

  assign on_o = on_q;
  assign enable_o = enable_q;
  assign memory_fault_o = fault_q;
  assign stopped_o = fault_q || overflow_q;
  assign restart_o = start;
  assign ppn_o = ppn_q;
  assign log2_size_o = log2_q;
  assign head_o = head_q;
  assign base_o = {10'd0, ppn_q, 5'd0, log2_q};
  assign csr_o = {14'd0, enable_q != on_q, on_q, 6'd0, overflow_q, fault_q, 6'd0, interrupt_q, enable_q};
  assign pending_o = pending_q;

endmodule
`default_nettype wire
