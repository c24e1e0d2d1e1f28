`default_nettype none
// Register block of the endpoint behind BAR0 (hdl/regs/endpoint.rdl): control, ring 0, statistics; MSI-X accesses go to msix.v.
// 32-bit accesses, a read and a write per cycle: rdata_o is combinational, writes take effect in the next cycle. Addresses without a
// register read 0.
// Soft reset: aborts, waits until everything is idle, then reset_o for one cycle and every register here at its reset value.
module endpoint_registers #(
  // log2 of the bytes per beat; log2 of the bytes of local memory; tags of the engine; MSI-X vectors
  parameter int LOG2_BEAT_BYTES = 5,
  parameter int LOG2_LOCAL_BYTES = 21,
  parameter int TAGS = 64,
  parameter int VECTORS = 8
) (
  input  wire         clk_i,
  input  wire         rst_i,

  // Features that straps leave: {extended tags, no snoop, ID-based ordering, relaxed ordering, PASID}
  input  wire  [4:0]  features_i,

  // Write and read access: byte offset in BAR0, byte strobes
  input  wire         write_i,
  input  wire  [13:0] write_address_i,
  input  wire  [31:0] wdata_i,
  input  wire  [3:0]  strobe_i,
  input  wire  [13:0] read_address_i,
  output logic [31:0] rdata_o,

  // MSI-X table and pending bits
  output logic        table_write_o,
  input  wire  [31:0] table_rdata_i,
  input  wire  [31:0] pending_i,

  // Control
  output logic        abort_o,
  output logic        discard_o,
  output logic        reset_o,
  output logic [31:0] completion_timeout_o,
  input  wire         busy_i,
  input  wire         bus_master_enable_i,

  // Ring 0
  output logic        ring_enable_o,
  output logic        ring_setup_valid_o,
  output logic [63:0] ring_base_o,
  output logic [3:0]  ring_log2_o,
  output logic [15:0] ring_tail_o,
  output logic [63:0] completion_base_o,
  output logic [15:0] completion_head_o,
  output logic [2:0]  interrupt_vector_o,
  output logic [7:0]  interrupt_count_o,
  output logic [31:0] interrupt_cycles_o,
  input  wire  [15:0] ring_head_i,
  input  wire  [15:0] completion_tail_i,
  input  wire         ring_running_i,
  input  wire         ring_phase_i,
  input  wire  [7:0]  ring_stop_reason_i,
  input  wire  [3:0]  ring_fetch_code_i,

  // Statistics strobes, in the order of the registers: descriptor, record, message, read request, completion beat, write beat,
  // unexpected completion, timeout, tag wait
  input  wire  [8:0]  statistics_i
);

  localparam int STATISTICS = 9;

  logic        enable_q;
  logic        resetting_q;
  logic        abort_q;
  logic [31:0] timeout_q;
  logic [31:0] base_low_q;
  logic [31:0] base_high_q;
  logic [3:0]  log2_q;
  logic        ring_enable_q;
  logic [15:0] tail_q;
  logic [31:0] completion_base_low_q;
  logic [31:0] completion_base_high_q;
  logic [15:0] completion_head_q;
  logic [2:0]  vector_q;
  logic [7:0]  count_q;
  logic [31:0] cycles_q;
  logic [32*STATISTICS-1:0] statistics_q;

  logic [31:0] write_mask;
  logic [15:0] written;
  logic [15:0] register;
  logic        in_statistics;
  logic        in_table;
  logic        ring_idle;
  logic        reset_done;

  function automatic [31:0] merge;
    input [31:0] old;
    input [31:0] data;
    input [31:0] mask;
    begin
      merge = (old & ~mask) | (data & mask);
    end
  endfunction

  always_comb begin
    write_mask = {{8{strobe_i[3]}}, {8{strobe_i[2]}}, {8{strobe_i[1]}}, {8{strobe_i[0]}}};
    written = {2'b00, write_address_i[13:2], 2'b00};
    register = {2'b00, read_address_i[13:2], 2'b00};
    in_statistics = register >= endpoint_regs_pkg::DESCRIPTORS &&
        register < endpoint_regs_pkg::DESCRIPTORS + 16'(4 * STATISTICS);
    in_table = register >= endpoint_regs_pkg::MSIX_TABLE_ADDRESS_LOW &&
        register < endpoint_regs_pkg::MSIX_TABLE_ADDRESS_LOW + 16'(16 * VECTORS);
    table_write_o = write_i && written >= endpoint_regs_pkg::MSIX_TABLE_ADDRESS_LOW &&
        written < endpoint_regs_pkg::MSIX_TABLE_ADDRESS_LOW + 16'(16 * VECTORS);
    ring_idle = ring_head_i == tail_q && completion_tail_i == ring_head_i;
    reset_done = resetting_q && !busy_i;

    abort_o = abort_q || resetting_q;
    discard_o = resetting_q;
    reset_o = reset_done;
    completion_timeout_o = timeout_q;
    ring_enable_o = ring_enable_q && enable_q && !resetting_q;
    ring_setup_valid_o = log2_q != 4'd0 && log2_q != 4'd15;
    ring_base_o = {base_high_q, base_low_q};
    ring_log2_o = log2_q;
    ring_tail_o = tail_q;
    completion_base_o = {completion_base_high_q, completion_base_low_q};
    completion_head_o = completion_head_q;
    interrupt_vector_o = vector_q;
    interrupt_count_o = count_q;
    interrupt_cycles_o = cycles_q;
  end

  always_comb begin
    case (register)
      endpoint_regs_pkg::IDENTIFICATION: rdata_o = 32'h45474C53;
      endpoint_regs_pkg::VERSION: rdata_o = 32'h0000_0100;
      endpoint_regs_pkg::SIZES:
        rdata_o = {8'(TAGS - 1), 2'd0, 6'(LOG2_LOCAL_BYTES), 8'(VECTORS), 4'd1, 4'(LOG2_BEAT_BYTES)};
      endpoint_regs_pkg::FEATURES: rdata_o = {27'd0, features_i};
      endpoint_regs_pkg::CONTROL: rdata_o = {29'd0, abort_q, resetting_q, enable_q};
      endpoint_regs_pkg::STATUS:
        rdata_o = {12'd0, ring_fetch_code_i, ring_stop_reason_i, 6'd0, bus_master_enable_i, busy_i};
      endpoint_regs_pkg::COMPLETION_TIMEOUT: rdata_o = timeout_q;
      endpoint_regs_pkg::RING_BASE_LOW: rdata_o = base_low_q;
      endpoint_regs_pkg::RING_BASE_HIGH: rdata_o = base_high_q;
      endpoint_regs_pkg::RING_SIZE: rdata_o = {28'd0, log2_q};
      endpoint_regs_pkg::RING_CONTROL: rdata_o = {31'd0, ring_enable_q};
      endpoint_regs_pkg::RING_TAIL: rdata_o = {16'd0, tail_q};
      endpoint_regs_pkg::RING_HEAD: rdata_o = {16'd0, ring_head_i};
      endpoint_regs_pkg::RING_COMPLETION_BASE_LOW: rdata_o = completion_base_low_q;
      endpoint_regs_pkg::RING_COMPLETION_BASE_HIGH: rdata_o = completion_base_high_q;
      endpoint_regs_pkg::RING_COMPLETION_TAIL: rdata_o = {16'd0, completion_tail_i};
      endpoint_regs_pkg::RING_COMPLETION_HEAD: rdata_o = {16'd0, completion_head_q};
      endpoint_regs_pkg::RING_INTERRUPT: rdata_o = {8'd0, count_q, 13'd0, vector_q};
      endpoint_regs_pkg::RING_INTERRUPT_TIMER: rdata_o = cycles_q;
      endpoint_regs_pkg::RING_STATUS:
        rdata_o = {12'd0, ring_fetch_code_i, ring_stop_reason_i, 5'd0, ring_phase_i, ring_idle, ring_running_i};
      endpoint_regs_pkg::MSIX_PBA: rdata_o = pending_i;
      default: begin
        rdata_o = in_table ? table_rdata_i : 32'd0;
        if (in_statistics) rdata_o = statistics_q[{register[5:2], 5'd0} +: 32];
      end
    endcase
  end

  always_ff @(posedge clk_i) begin
    if (rst_i || reset_done) begin
      enable_q <= 1'b0;
      resetting_q <= 1'b0;
      abort_q <= 1'b0;
      timeout_q <= endpoint_regs_pkg::COMPLETION_TIMEOUT_CYCLES_RESET;
      base_low_q <= 32'd0;
      base_high_q <= 32'd0;
      log2_q <= 4'd0;
      ring_enable_q <= 1'b0;
      tail_q <= 16'd0;
      completion_base_low_q <= 32'd0;
      completion_base_high_q <= 32'd0;
      completion_head_q <= 16'd0;
      vector_q <= 3'd0;
      count_q <= 8'd0;
      cycles_q <= 32'd0;
      statistics_q <= '0;
    end else begin
      for (int i = 0; i < STATISTICS; i++)
        if (statistics_i[i]) statistics_q[i*32 +: 32] <= statistics_q[i*32 +: 32] + 32'd1;
      if (write_i)
        case (written)
          endpoint_regs_pkg::CONTROL:
            if (strobe_i[0]) begin
              enable_q <= wdata_i[0];
              resetting_q <= resetting_q || wdata_i[1];
              abort_q <= wdata_i[2];
            end
          endpoint_regs_pkg::COMPLETION_TIMEOUT: timeout_q <= merge(timeout_q, wdata_i, write_mask);
          endpoint_regs_pkg::RING_BASE_LOW: base_low_q <= merge(base_low_q, wdata_i, write_mask & 32'hFFFF_FFC0);
          endpoint_regs_pkg::RING_BASE_HIGH: base_high_q <= merge(base_high_q, wdata_i, write_mask);
          endpoint_regs_pkg::RING_SIZE: if (strobe_i[0]) log2_q <= wdata_i[3:0];
          endpoint_regs_pkg::RING_CONTROL: begin
            if (strobe_i[0]) ring_enable_q <= wdata_i[0];
            // Both rings begin at 0 again.
            if (strobe_i[0] && wdata_i[0] && !ring_enable_q) begin
              tail_q <= 16'd0;
              completion_head_q <= 16'd0;
            end
          end
          endpoint_regs_pkg::RING_TAIL: tail_q <= 16'(merge({16'd0, tail_q}, wdata_i, write_mask));
          endpoint_regs_pkg::RING_COMPLETION_BASE_LOW:
            completion_base_low_q <= merge(completion_base_low_q, wdata_i, write_mask & 32'hFFFF_FFC0);
          endpoint_regs_pkg::RING_COMPLETION_BASE_HIGH:
            completion_base_high_q <= merge(completion_base_high_q, wdata_i, write_mask);
          endpoint_regs_pkg::RING_COMPLETION_HEAD: completion_head_q <= 16'(merge({16'd0, completion_head_q}, wdata_i, write_mask));
          endpoint_regs_pkg::RING_INTERRUPT: begin
            if (strobe_i[0]) vector_q <= wdata_i[2:0];
            if (strobe_i[2]) count_q <= wdata_i[23:16];
          end
          endpoint_regs_pkg::RING_INTERRUPT_TIMER: cycles_q <= merge(cycles_q, wdata_i, write_mask);
          default: ;
        endcase
    end
  end

  logic unused_address;
  always_comb unused_address = ^{write_address_i[1:0], read_address_i[1:0]};

  generate
    if (VECTORS != endpoint_regs_pkg::MSIX_TABLE_ADDRESS_LOW_INSTANCES) begin : g_check_vectors
      initial $fatal(1, "endpoint_registers: VECTORS must be that of hdl/regs/endpoint.rdl");
    end
  endgenerate

endmodule
`default_nettype wire
