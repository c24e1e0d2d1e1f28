`default_nettype none
// Stores device writes to memory-resident interrupt files (Process to translate addresses of MSIs; AIA, IOMMU support): sets the pending
// bit of the identity atomically, then reads the enable bits, and sends the notice where the identity is enabled. One write at a time.
// A write is an MSI when it is one aligned 32-bit word at page offset 0 (4 in big-endian order) and its data an identity of 1 to 2047;
// every other one is taken without effect. Faults: 264 access, 271 data corruption of the file; 273 of the notice.
module iommu_mrif #(
    // Derived: bits of an access (iommu_memory_arbiter.v).
    parameter int ACCESS_W = 2 + 56 + 7 + 256 + 32 + 24 + 2
) (
    input  wire                               clk_i,
    input  wire                               rst_i,

    // fctl.BE, iommu_qosid (of the notice), page number bits beyond the physical address size.
    input  wire                               big_endian_i,
    input  wire [23:0]                        qos_i,
    input  wire [43:0]                        beyond_i,

    // A 32-bit write (mrif_write_t), held until `write_ready_o`: it has been carried out.
    input  wire                               write_valid_i,
    output wire                               write_ready_o,
    input  wire [iommu_spec_pkg::MRIF_W-1:0]  write_i,

    // Fault (fault_t).
    output wire                               fault_valid_o,
    input  wire                               fault_ready_i,
    output wire [iommu_spec_pkg::FAULT_W-1:0] fault_o,

    // Memory.
    output wire                               mem_valid_o,
    input  wire                               mem_ready_i,
    output wire [ACCESS_W-1:0]                mem_access_o,
    input  wire                               mem_rsp_valid_i,
    input  wire [63:0]                        mem_rsp_data_i,
    input  wire                               mem_rsp_err_i,
    input  wire                               mem_rsp_poison_i
);
  `include "iommu_records.vh"

  typedef enum logic [2:0] {
    IDLE,    // waits for a write
    SET,     // pending bit
    READ,    // enable bits
    NOTICE,  // notice
    FAULT,   // presents the fault
    DONE     // takes the write
  } state_t;

  mrif_write_t write;

  assign write = write_i;

  state_t      state_d, state_q;
  logic        sent_d, sent_q;    // the access of the state has been taken by memory
  logic [8:0]  cause_d, cause_q;

  wire [31:0] data = big_endian_i ? {write.data[7:0], write.data[15:8], write.data[23:16], write.data[31:24]} : write.data;
  wire        legal = write.iova[11:0] == (big_endian_i ? 12'd4 : 12'd0) && data[31:11] == '0 && data[10:0] != '0;
  wire [63:0] bit_of_identity = 64'd1 << data[5:0];
  wire [63:0] mask = big_endian_i ? iommu_spec_pkg::reversed(bit_of_identity) : bit_of_identity;
  wire [55:0] pending_address = write.address | {47'd0, data[10:6], 4'd0};
  wire [31:0] notice = {21'd0, write.nid};
  wire [55:0] address = state_q == NOTICE ? {write.nppn, 12'd0} : state_q == READ ? pending_address | 56'd8 : pending_address;
  wire        access = state_q == SET || state_q == READ || state_q == NOTICE;

  // Of the cycle before. A write stands for a cycle before its first access; its bits of the file lie in one page.
  logic        file_beyond_q, notice_beyond_q, answered_q, refused_q, poisoned_q, enabled_q;
  logic [63:0] mask_q;
  wire         beyond = state_q == NOTICE ? notice_beyond_q : file_beyond_q;
  wire         reported = !write.quiet || iommu_spec_pkg::reported_despite_dtf(cause_q);

  always_comb begin
    state_d = state_q;
    sent_d = sent_q;
    cause_d = cause_q;
    case (state_q)
      IDLE: begin
        if (write_valid_i && legal) state_d = SET;
        else if (write_valid_i) state_d = DONE;
      end
      FAULT: if (!reported || fault_ready_i) state_d = DONE;
      DONE: state_d = IDLE;
      default: begin
        if (mem_valid_o && mem_ready_i) sent_d = 1'b1;
        if (beyond || (answered_q && refused_q)) begin
          cause_d = state_q == NOTICE ? iommu_spec_pkg::CAUSE_MSI_WRITE_ACCESS : iommu_spec_pkg::CAUSE_MRIF_ACCESS;
          state_d = FAULT;
        end else if (answered_q && poisoned_q && state_q != NOTICE) begin
          cause_d = iommu_spec_pkg::CAUSE_MRIF_CORRUPTION;
          state_d = FAULT;
        end else if (answered_q) begin
          if (state_q == SET) state_d = READ;
          else if (state_q == READ && enabled_q) state_d = NOTICE;
          else state_d = DONE;
        end
        if (state_d != state_q) sent_d = 1'b0;
      end
    endcase
  end

  always_ff @(posedge clk_i) begin
    state_q <= state_d;
    sent_q <= sent_d;
    cause_q <= cause_d;
    file_beyond_q <= (pending_address[55:12] & beyond_i) != '0;
    notice_beyond_q <= (write.nppn & beyond_i) != '0;
    answered_q <= mem_rsp_valid_i;
    refused_q <= mem_rsp_err_i;
    poisoned_q <= mem_rsp_poison_i;
    enabled_q <= (mem_rsp_data_i & mask_q) != '0;
    mask_q <= mask;
    if (rst_i) begin
      state_q <= IDLE;
      answered_q <= 1'b0;
      sent_q <= 1'b0;
    end
  end

  assign write_ready_o = state_q == DONE;
  assign mem_valid_o = access && !sent_q && !beyond;
  assign mem_access_o = state_q == NOTICE
      ? {iommu_pkg::MEMORY_WRITE, address, 7'd4, 224'd0,
         big_endian_i ? {notice[7:0], notice[15:8], notice[23:16], notice[31:24]} : notice, 32'h0000000F, qos_i, 2'd0}
      : {state_q == SET ? iommu_pkg::MEMORY_OR64 : iommu_pkg::MEMORY_READ, address, 7'd8, 192'd0, mask_q, 32'h000000FF, write.qos, 2'd0};

  // ---- Fault ----------------------------------------------------------------------------------------------------------------------
  fault_t fault;

  always_comb begin
    fault = '0;
    fault.cause = cause_q;
    if (cause_q == iommu_spec_pkg::CAUSE_MSI_WRITE_ACCESS) begin
      fault.iotval = {8'd0, write.nppn, 12'd0};
    end else begin
      fault.ttyp = write.translated ? 4'd7 : 4'd3;
      fault.did = write.did;
      fault.pv = write.pv;
      fault.pid = write.pid;
      fault.priv = write.priv;
      fault.iotval = write.iova;
    end
  end

  assign fault_valid_o = state_q == FAULT && reported;
  assign fault_o = fault;

`ifndef SYNTHESIS
  initial begin
    if ($bits(write) != iommu_spec_pkg::MRIF_W) $fatal(1, "iommu_mrif: MRIF_W in iommu_spec_pkg is not the width of its record");
  end

  always_ff @(posedge clk_i) begin
    if (!rst_i) assert (!mem_rsp_valid_i || (access && sent_q)) else $error("iommu_mrif: response without an access");
  end
`endif

endmodule
`default_nettype wire
