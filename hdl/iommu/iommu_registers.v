`default_nettype none
// Register file: one 4 KiB page, little-endian (Memory-mapped register interface). Accesses of 4 or 8 bytes; both halves of an 8-byte
// register work, side effects belong to the half that holds the control bits. Registers of absent features read 0.
module iommu_registers (
    input  wire         clk_i,
    input  wire         rst_i,

    // Effective capabilities.
    input  wire [63:0]  capabilities_i,

    // Register bus (docs/interfaces.md section 5); `reg_ready_o` comes one cycle after `reg_valid_i`.
    input  wire         reg_valid_i,
    input  wire         reg_write_i,
    input  wire [11:0]  reg_address_i,
    input  wire [63:0]  reg_wdata_i,
    input  wire [7:0]   reg_strobe_i,
    output wire         reg_ready_o,
    output wire [63:0]  reg_rdata_o,

    // fctl and iommu_qosid.
    output wire         big_endian_o,
    output wire         wired_o,
    output wire [23:0]  qos_o,

    // ddtp: the configuration in force; it changes only while no request is in flight: `hold_o` stops requests, `idle_i` tells that
    // none is left, `switch_o` is the cycle of the change.
    output wire [3:0]   ddtp_mode_o,
    output wire [43:0]  ddtp_ppn_o,
    output wire         hold_o,
    input  wire         idle_i,
    output wire         switch_o,

    // Command queue.
    output wire         cq_on_o,
    output wire         cq_enable_o,
    output wire         cq_stopped_o,
    output wire         cq_restart_o,
    output wire [43:0]  cq_ppn_o,
    output wire [4:0]   cq_log2_o,
    output wire [31:0]  cq_tail_o,
    input  wire [31:0]  cq_head_i,
    input  wire         cq_idle_i,
    input  wire         cq_memory_fault_i,
    input  wire         cq_illegal_i,
    input  wire         cq_timeout_i,
    input  wire         cq_fence_wire_i,

    // Fault queue.
    output wire         fq_on_o,
    output wire         fq_enable_o,
    output wire         fq_stopped_o,
    output wire         fq_restart_o,
    output wire [43:0]  fq_ppn_o,
    output wire [4:0]   fq_log2_o,
    output wire [31:0]  fq_head_o,
    input  wire [31:0]  fq_tail_i,
    input  wire         fq_idle_i,
    input  wire         fq_overflow_i,
    input  wire         fq_error_i,
    input  wire         fq_written_i,

    // Page-request queue.
    output wire         pq_on_o,
    output wire         pq_enable_o,
    output wire         pq_memory_fault_o,
    output wire         pq_stopped_o,
    output wire         pq_restart_o,
    output wire [43:0]  pq_ppn_o,
    output wire [4:0]   pq_log2_o,
    output wire [31:0]  pq_head_o,
    input  wire [31:0]  pq_tail_i,
    input  wire         pq_idle_i,
    input  wire         pq_overflow_i,
    input  wire         pq_error_i,
    input  wire         pq_written_i,

    // Registers kept elsewhere (event counters, debug): writes of the low and high half at `reg_address_i`, once per access; what they
    // read, 0 at addresses that are not theirs (combinational in `reg_address_i`); a counter overflowed (ipsr.pmip).
    output wire         other_write_lo_o,
    output wire         other_write_hi_o,
    input  wire [63:0]  other_rdata_i,
    input  wire         counter_overflow_i,

    // Interrupts: ipsr {pip, pmip, fip, cip}, icvec, and the configuration table flat by vector: {mask, data[31:0], address[55:0]}.
    output wire [3:0]   pending_o,
    output wire [15:0]  vectors_o,
    output wire [16*89-1:0] table_o
);

  // ---- Bus ------------------------------------------------------------------------------------------------------------------------
  logic        ready_q;
  // What is read: of this file, of the interrupt table, of others.
  logic [63:0] rdata_d, rdata_q, table_rdata_q, other_rdata_q;
  wire         first_cycle = reg_valid_i && !ready_q;
  // A write is done in its second cycle, the one of `reg_ready_o`; `here_q` then says to which of the first 16 words.
  logic        write_lo_q, write_hi_q;
  logic [15:0] here_d, here_q;
  wire         write_lo = write_lo_q;
  wire         write_hi = write_hi_q;
  wire [8:0]   word = reg_address_i[11:3];
  wire [31:0]  lo = reg_wdata_i[31:0];
  wire [31:0]  hi = reg_wdata_i[63:32];

  localparam [8:0] FCTL = 9'h001;
  localparam [8:0] DDTP = 9'h002;
  localparam [8:0] CQB = 9'h003;
  localparam [8:0] CQ_INDEX = 9'h004;
  localparam [8:0] FQB = 9'h005;
  localparam [8:0] FQ_INDEX = 9'h006;
  localparam [8:0] PQB = 9'h007;
  localparam [8:0] PQ_INDEX = 9'h008;
  localparam [8:0] CQ_FQ_CSR = 9'h009;
  localparam [8:0] PQ_CSR_IPSR = 9'h00A;
  localparam [8:0] QOSID = 9'h04E;
  localparam [8:0] ICVEC = 9'h05F;
  localparam [8:0] MSI_TABLE = 9'h060;

  always_comb for (int i = 0; i < 16; i++) here_d[i] = word == 9'(i);

  // ---- fctl, iommu_qosid, icvec ---------------------------------------------------------------------------------------------------
  logic        be_d, be_q, wsi_d, wsi_q;
  logic [23:0] qos_d, qos_q;
  logic [15:0] icvec_d, icvec_q;

  wire [1:0] igs = capabilities_i[29:28];
  wire       be = capabilities_i[iommu_spec_pkg::CAP_END] ? be_q : capabilities_i[iommu_spec_pkg::CAP_FIXED_BE];
  logic      big_endian_q;   // `be`, for many
  wire       wsi = igs == iommu_spec_pkg::IGS_BOTH ? wsi_q : igs == iommu_spec_pkg::IGS_WSI;

  // ---- ddtp -------------------------------------------------------------------------------------------------------------------------
  logic [3:0]  mode_d, mode_q, active_mode_d, active_mode_q;
  logic [43:0] ppn_d, ppn_q, active_ppn_d, active_ppn_q;
  logic        busy_d, busy_q;
  wire         directory = mode_q != iommu_spec_pkg::MODE_OFF && mode_q != iommu_spec_pkg::MODE_BARE;
  wire         new_directory = lo[3:0] != iommu_spec_pkg::MODE_OFF && lo[3:0] != iommu_spec_pkg::MODE_BARE;
  wire         switch_now = busy_q && idle_i;

  // ---- Queues -------------------------------------------------------------------------------------------------------------------------
  logic [43:0] cq_ppn_d, cq_ppn_q;
  logic [4:0]  cq_log2_d, cq_log2_q;
  logic [31:0] cq_tail_d, cq_tail_q;
  logic        cqen_d, cqen_q, cie_d, cie_q, cqmf_d, cqmf_q, cmd_to_d, cmd_to_q, cmd_ill_d, cmd_ill_q;
  logic        fence_w_ip_d, fence_w_ip_q, cqon_d, cqon_q, cip_d, cip_q, pmip_d, pmip_q;
  wire         cq_start = cqen_q && !cqon_q;
  wire [31:0]  cq_mask = (32'd2 << cq_log2_q) - 32'd1;
  wire         queues_off = !cqen_q && !cqon_q && !fq_enable_o && !fq_on_o && !pq_enable_o && !pq_on_o;
  wire         inactive = mode_q == iommu_spec_pkg::MODE_OFF && !busy_q && queues_off;
  wire         ats = capabilities_i[iommu_spec_pkg::CAP_ATS];
  wire         hpm = capabilities_i[iommu_spec_pkg::CAP_HPM];
  wire         write_ipsr = here_q[PQ_CSR_IPSR[3:0]] && write_hi;
  wire [63:0]  fqb, pqb;
  wire [31:0]  fqcsr, pqcsr;
  wire         fip, pip, unused_fault_queue_fault;

  iommu_record_queue_registers u_fault_queue (
      .clk_i          (clk_i),
      .rst_i          (rst_i),
      .write_base_lo_i(here_q[FQB[3:0]] && write_lo),
      .write_base_hi_i(here_q[FQB[3:0]] && write_hi),
      .write_head_i   (here_q[FQ_INDEX[3:0]] && write_lo),
      .write_csr_i    (here_q[CQ_FQ_CSR[3:0]] && write_hi),
      .clear_pending_i(write_ipsr && hi[1]),
      .base_lo_i      (lo),
      .base_hi_i      (hi),
      .head_i         (lo),
      .csr_i          (hi),
      .idle_i         (fq_idle_i),
      .overflow_i     (fq_overflow_i),
      .error_i        (fq_error_i),
      .written_i      (fq_written_i),
      .on_o           (fq_on_o),
      .enable_o       (fq_enable_o),
      .memory_fault_o (unused_fault_queue_fault),
      .stopped_o      (fq_stopped_o),
      .restart_o      (fq_restart_o),
      .ppn_o          (fq_ppn_o),
      .log2_size_o    (fq_log2_o),
      .head_o         (fq_head_o),
      .base_o         (fqb),
      .csr_o          (fqcsr),
      .pending_o      (fip)
  );

  // Without ATS nothing can be written: all of it stays 0.
  iommu_record_queue_registers u_page_request_queue (
      .clk_i          (clk_i),
      .rst_i          (rst_i),
      .write_base_lo_i(here_q[PQB[3:0]] && write_lo && ats),
      .write_base_hi_i(here_q[PQB[3:0]] && write_hi && ats),
      .write_head_i   (here_q[PQ_INDEX[3:0]] && write_lo && ats),
      .write_csr_i    (here_q[PQ_CSR_IPSR[3:0]] && write_lo && ats),
      .clear_pending_i(write_ipsr && hi[3]),
      .base_lo_i      (lo),
      .base_hi_i      (hi),
      .head_i         (lo),
      .csr_i          (lo),
      .idle_i         (pq_idle_i),
      .overflow_i     (pq_overflow_i),
      .error_i        (pq_error_i),
      .written_i      (pq_written_i),
      .on_o           (pq_on_o),
      .enable_o       (pq_enable_o),
      .memory_fault_o (pq_memory_fault_o),
      .stopped_o      (pq_stopped_o),
      .restart_o      (pq_restart_o),
      .ppn_o          (pq_ppn_o),
      .log2_size_o    (pq_log2_o),
      .head_o         (pq_head_o),
      .base_o         (pqb),
      .csr_o          (pqcsr),
      .pending_o      (pip)
  );

  always_comb begin
    be_d = be_q;
    wsi_d = wsi_q;
    qos_d = qos_q;
    icvec_d = icvec_q;
    if (here_q[FCTL[3:0]] && write_lo && inactive) begin
      be_d = lo[0];
      wsi_d = lo[1];
    end
    if (word == QOSID && write_lo && capabilities_i[iommu_spec_pkg::CAP_QOSID]) qos_d = {lo[27:16], lo[11:0]};
    // The fields are WARL. That of an absent source is read-only 0: the specification asks for no more than any legal value, its
    // reference model does the same.
    if (word == ICVEC && write_lo) icvec_d = lo[15:0] & {{4{ats}}, {4{hpm}}, 8'hFF};
  end

  // A directory is not replaced by another one directly; an illegal mode keeps the old one. What is not taken leaves the register as
  // it is in force, the upper half that came with it included.
  always_comb begin
    mode_d = mode_q;
    ppn_d = ppn_q;
    busy_d = busy_q && !switch_now;
    active_mode_d = switch_now ? mode_q : active_mode_q;
    active_ppn_d = switch_now ? ppn_q : active_ppn_q;
    if (here_q[DDTP[3:0]] && !busy_q) begin
      if (write_hi) ppn_d[43:22] = hi[21:0];
      if (write_lo) begin
        if (lo[3:0] > iommu_spec_pkg::MODE_3LVL || (directory && new_directory)) begin
          ppn_d = active_ppn_q;
        end else begin
          ppn_d[21:0] = lo[31:10];
          mode_d = lo[3:0];
          busy_d = 1'b1;
        end
      end
    end
  end

  always_comb begin
    cq_ppn_d = cq_ppn_q;
    cq_log2_d = cq_log2_q;
    cq_tail_d = cq_tail_q;
    if (here_q[CQB[3:0]]) begin
      if (write_hi) cq_ppn_d[43:22] = hi[21:0];
      if (write_lo) begin
        cq_ppn_d[21:0] = lo[31:10];
        cq_log2_d = lo[4:0];
        cq_tail_d = '0;
      end
    end
    if (here_q[CQ_INDEX[3:0]] && write_hi) cq_tail_d = hi & cq_mask;
  end

  // Control and status. An error that occurs in the cycle in which software clears the bit stays.
  always_comb begin
    cqen_d = cqen_q;
    cie_d = cie_q;
    cqmf_d = cqmf_q;
    cmd_to_d = cmd_to_q;
    cmd_ill_d = cmd_ill_q;
    fence_w_ip_d = fence_w_ip_q;
    if (here_q[CQ_FQ_CSR[3:0]] && write_lo) begin
      cqen_d = lo[0];
      cie_d = lo[1];
      cqmf_d = cqmf_q && !lo[8];
      cmd_to_d = cmd_to_q && !lo[9];
      cmd_ill_d = cmd_ill_q && !lo[10];
      fence_w_ip_d = fence_w_ip_q && !lo[11];
    end
    if (cq_start) begin
      cqmf_d = 1'b0;
      cmd_to_d = 1'b0;
      cmd_ill_d = 1'b0;
      fence_w_ip_d = 1'b0;
    end
    cqmf_d = cqmf_d || cq_memory_fault_i;
    cmd_to_d = cmd_to_d || cq_timeout_i;
    cmd_ill_d = cmd_ill_d || cq_illegal_i;
    fence_w_ip_d = fence_w_ip_d || cq_fence_wire_i;
    cqon_d = cqen_q || (cqon_q && !cq_idle_i);
    // Cleared for one cycle even while its cause persists: the rise after it is a new interrupt.
    cip_d = !(write_ipsr && hi[0]) && (cip_q || (cie_q && (cqmf_q || cmd_to_q || cmd_ill_q || fence_w_ip_q)));
    pmip_d = (pmip_q && !(write_ipsr && hi[2])) || counter_overflow_i;
  end

  // ---- MSI configuration table ----------------------------------------------------------------------------------------------------
  // Addresses 0x300 + 16n (address) and 0x308 + 16n (data, mask); absent when interrupts are wires only.
  wire        msi_possible = igs != iommu_spec_pkg::IGS_WSI;
  wire        in_table = word >= MSI_TABLE && word < MSI_TABLE + 9'd32 && msi_possible;
  wire [3:0]  vector = word[4:1];
  wire        is_data = word[0];
  wire [63:0] table_word [0:15];

  generate
    for (genvar i = 0; i < 16; i++) begin : g_vector
      logic [53:0] address_q;
      logic [31:0] data_q;
      logic        mask_q;
      wire         selected = in_table && vector == 4'(i);

      always_ff @(posedge clk_i) begin
        if (selected && !is_data && write_lo) address_q[29:0] <= lo[31:2];
        if (selected && !is_data && write_hi) address_q[53:30] <= hi[23:0];
        if (selected && is_data && write_lo) data_q <= lo;
        if (selected && is_data && write_hi) mask_q <= hi[0];
        if (rst_i) begin
          address_q <= '0;
          data_q <= '0;
          mask_q <= 1'b0;
        end
      end

      assign table_o[89*i +: 89] = {mask_q, data_q, address_q, 2'd0};
      assign table_word[i] = is_data ? {31'd0, mask_q, data_q} : {8'd0, address_q, 2'd0};
    end
  endgenerate

  // ---- Read -------------------------------------------------------------------------------------------------------------------------
  always_comb begin
    rdata_d = '0;
    case (word)
      9'h000: rdata_d = {8'd0, capabilities_i[55:0]};   // without the strap of fctl.BE
      FCTL: rdata_d = {62'd0, wsi, be};
      DDTP: rdata_d = {10'd0, ppn_q, 5'd0, busy_q, mode_q};
      CQB: rdata_d = {10'd0, cq_ppn_q, 5'd0, cq_log2_q};
      CQ_INDEX: rdata_d = {cq_tail_q, cq_head_i};
      FQB: rdata_d = fqb;
      FQ_INDEX: rdata_d = {fq_tail_i, fq_head_o};
      PQB: rdata_d = pqb;
      PQ_INDEX: rdata_d = {pq_tail_i, pq_head_o};
      CQ_FQ_CSR: begin
        rdata_d = {fqcsr, 14'd0, cqen_q != cqon_q, cqon_q, 4'd0, fence_w_ip_q, cmd_ill_q, cmd_to_q, cqmf_q, 6'd0, cie_q, cqen_q};
      end
      PQ_CSR_IPSR: rdata_d = {28'd0, pip, pmip_q, fip, cip_q, pqcsr};
      QOSID: rdata_d = {36'd0, qos_q[23:12], 4'd0, qos_q[11:0]};
      ICVEC: rdata_d = {48'd0, icvec_q};
      default: ;
    endcase
  end

  always_ff @(posedge clk_i) begin
    ready_q <= first_cycle;
    here_q <= here_d;
    write_lo_q <= first_cycle && reg_write_i && reg_strobe_i[3:0] == 4'hF;
    write_hi_q <= first_cycle && reg_write_i && reg_strobe_i[7:4] == 4'hF;
    rdata_q <= rdata_d;
    table_rdata_q <= in_table ? table_word[vector] : '0;
    other_rdata_q <= other_rdata_i;
    be_q <= be_d;
    big_endian_q <= be;
    wsi_q <= wsi_d;
    qos_q <= qos_d;
    icvec_q <= icvec_d;
    mode_q <= mode_d;
    ppn_q <= ppn_d;
    busy_q <= busy_d;
    active_mode_q <= active_mode_d;
    active_ppn_q <= active_ppn_d;
    cq_ppn_q <= cq_ppn_d;
    cq_log2_q <= cq_log2_d;
    cq_tail_q <= cq_tail_d;
    cqen_q <= cqen_d;
    cie_q <= cie_d;
    cqmf_q <= cqmf_d;
    cmd_to_q <= cmd_to_d;
    cmd_ill_q <= cmd_ill_d;
    fence_w_ip_q <= fence_w_ip_d;
    cqon_q <= cqon_d;
    cip_q <= cip_d;
    pmip_q <= pmip_d;
    if (rst_i) begin
      ready_q <= 1'b0;
      write_lo_q <= 1'b0;
      write_hi_q <= 1'b0;
      be_q <= 1'b0;
      wsi_q <= 1'b0;
      qos_q <= '0;
      icvec_q <= '0;
      mode_q <= iommu_spec_pkg::MODE_OFF;
      ppn_q <= '0;
      busy_q <= 1'b0;
      active_mode_q <= iommu_spec_pkg::MODE_OFF;
      active_ppn_q <= '0;
      cq_ppn_q <= '0;
      cq_log2_q <= '0;
      cq_tail_q <= '0;
      cqen_q <= 1'b0;
      cie_q <= 1'b0;
      cqmf_q <= 1'b0;
      cmd_to_q <= 1'b0;
      cmd_ill_q <= 1'b0;
      fence_w_ip_q <= 1'b0;
      cqon_q <= 1'b0;
      cip_q <= 1'b0;
      pmip_q <= 1'b0;
    end
  end

  assign reg_ready_o = ready_q;
  assign reg_rdata_o = rdata_q | table_rdata_q | other_rdata_q;
  assign big_endian_o = big_endian_q;
  assign wired_o = wsi;
  assign qos_o = qos_q;
  assign ddtp_mode_o = active_mode_q;
  assign ddtp_ppn_o = active_ppn_q;
  assign hold_o = busy_q;
  assign switch_o = switch_now;
  assign cq_on_o = cqon_q;
  assign cq_enable_o = cqen_q;
  assign cq_stopped_o = cqmf_q || cmd_to_q || cmd_ill_q;
  assign cq_restart_o = cq_start;
  assign cq_ppn_o = cq_ppn_q;
  assign cq_log2_o = cq_log2_q;
  assign cq_tail_o = cq_tail_q;
  assign other_write_lo_o = write_lo;
  assign other_write_hi_o = write_hi;
  assign pending_o = {pip, pmip_q, fip, cip_q};
  assign vectors_o = icvec_q;

endmodule
`default_nettype wire
