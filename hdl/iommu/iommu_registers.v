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

    // Interrupts: ipsr {pip, pmip, fip, cip}, icvec, and the configuration table flat by vector: {mask, data[31:0], address[55:0]}.
    output wire [3:0]   pending_o,
    output wire [15:0]  vectors_o,
    output wire [16*89-1:0] table_o
);

  // ---- Bus ------------------------------------------------------------------------------------------------------------------------
  logic        ready_q;
  logic [63:0] rdata_d, rdata_q;
  wire         first_cycle = reg_valid_i && !ready_q;
  wire         write_lo = first_cycle && reg_write_i && reg_strobe_i[3:0] == 4'hF;
  wire         write_hi = first_cycle && reg_write_i && reg_strobe_i[7:4] == 4'hF;
  wire [8:0]   word = reg_address_i[11:3];
  wire [31:0]  lo = reg_wdata_i[31:0];
  wire [31:0]  hi = reg_wdata_i[63:32];

  localparam [8:0] FCTL = 9'h001;
  localparam [8:0] DDTP = 9'h002;
  localparam [8:0] CQB = 9'h003;
  localparam [8:0] CQ_INDEX = 9'h004;
  localparam [8:0] FQB = 9'h005;
  localparam [8:0] FQ_INDEX = 9'h006;
  localparam [8:0] CQ_FQ_CSR = 9'h009;
  localparam [8:0] PQ_CSR_IPSR = 9'h00A;
  localparam [8:0] QOSID = 9'h04E;
  localparam [8:0] ICVEC = 9'h05F;
  localparam [8:0] MSI_TABLE = 9'h060;

  // ---- fctl, iommu_qosid, icvec ---------------------------------------------------------------------------------------------------
  logic        be_d, be_q, wsi_d, wsi_q;
  logic [23:0] qos_d, qos_q;
  logic [15:0] icvec_d, icvec_q;

  wire [1:0] igs = capabilities_i[29:28];
  wire       be = capabilities_i[iommu_spec_pkg::CAP_END] ? be_q : capabilities_i[iommu_spec_pkg::CAP_FIXED_BE];
  wire       wsi = igs == iommu_spec_pkg::IGS_BOTH ? wsi_q : igs == iommu_spec_pkg::IGS_WSI;

  // ---- ddtp -------------------------------------------------------------------------------------------------------------------------
  logic [3:0]  mode_d, mode_q, active_mode_d, active_mode_q;
  logic [43:0] ppn_d, ppn_q, active_ppn_d, active_ppn_q;
  logic        busy_d, busy_q;
  wire         directory = mode_q != iommu_spec_pkg::MODE_OFF && mode_q != iommu_spec_pkg::MODE_BARE;
  wire         new_directory = lo[3:0] != iommu_spec_pkg::MODE_OFF && lo[3:0] != iommu_spec_pkg::MODE_BARE;
  wire         switch_now = busy_q && idle_i;

  // ---- Queues -------------------------------------------------------------------------------------------------------------------------
  logic [43:0] cq_ppn_d, cq_ppn_q, fq_ppn_d, fq_ppn_q;
  logic [4:0]  cq_log2_d, cq_log2_q, fq_log2_d, fq_log2_q;
  logic [31:0] cq_tail_d, cq_tail_q, fq_head_d, fq_head_q;
  logic        cqen_d, cqen_q, cie_d, cie_q, cqmf_d, cqmf_q, cmd_ill_d, cmd_ill_q, fence_w_ip_d, fence_w_ip_q, cqon_d, cqon_q;
  logic        fqen_d, fqen_q, fie_d, fie_q, fqmf_d, fqmf_q, fqof_d, fqof_q, fqon_d, fqon_q;
  logic        cip_d, cip_q, fip_d, fip_q;
  wire         cq_start = cqen_q && !cqon_q;
  wire         fq_start = fqen_q && !fqon_q;
  wire [31:0]  cq_mask = (32'd2 << cq_log2_q) - 32'd1;
  wire [31:0]  fq_mask = (32'd2 << fq_log2_q) - 32'd1;
  wire         inactive = mode_q == iommu_spec_pkg::MODE_OFF && !busy_q && !cqen_q && !cqon_q && !fqen_q && !fqon_q;

  always_comb begin
    be_d = be_q;
    wsi_d = wsi_q;
    qos_d = qos_q;
    icvec_d = icvec_q;
    if (word == FCTL && write_lo && inactive) begin
      be_d = lo[0];
      wsi_d = lo[1];
    end
    if (word == QOSID && write_lo && capabilities_i[iommu_spec_pkg::CAP_QOSID]) qos_d = {lo[27:16], lo[11:0]};
    if (word == ICVEC && write_lo) icvec_d = {8'd0, lo[7:0]};
  end

  // A directory is not replaced by another one directly; an illegal mode keeps the old one.
  always_comb begin
    mode_d = mode_q;
    ppn_d = ppn_q;
    busy_d = busy_q && !switch_now;
    active_mode_d = switch_now ? mode_q : active_mode_q;
    active_ppn_d = switch_now ? ppn_q : active_ppn_q;
    if (word == DDTP && !busy_q) begin
      if (write_hi) ppn_d[43:22] = hi[21:0];
      if (write_lo && !(directory && new_directory)) begin
        ppn_d[21:0] = lo[31:10];
        if (lo[3:0] <= iommu_spec_pkg::MODE_3LVL) mode_d = lo[3:0];
        busy_d = 1'b1;
      end
    end
  end

  always_comb begin
    cq_ppn_d = cq_ppn_q;
    cq_log2_d = cq_log2_q;
    cq_tail_d = cq_tail_q;
    fq_ppn_d = fq_ppn_q;
    fq_log2_d = fq_log2_q;
    fq_head_d = fq_head_q;
    if (word == CQB) begin
      if (write_hi) cq_ppn_d[43:22] = hi[21:0];
      if (write_lo) begin
        cq_ppn_d[21:0] = lo[31:10];
        cq_log2_d = lo[4:0];
        cq_tail_d = '0;
      end
    end
    if (word == CQ_INDEX && write_hi) cq_tail_d = hi & cq_mask;
    if (word == FQB) begin
      if (write_hi) fq_ppn_d[43:22] = hi[21:0];
      if (write_lo) begin
        fq_ppn_d[21:0] = lo[31:10];
        fq_log2_d = lo[4:0];
        fq_head_d = '0;
      end
    end
    if (word == FQ_INDEX && write_lo) fq_head_d = lo & fq_mask;
  end

  // Control and status. An error that occurs in the cycle in which software clears the bit stays.
  always_comb begin
    cqen_d = cqen_q;
    cie_d = cie_q;
    cqmf_d = cqmf_q;
    cmd_ill_d = cmd_ill_q;
    fence_w_ip_d = fence_w_ip_q;
    fqen_d = fqen_q;
    fie_d = fie_q;
    fqmf_d = fqmf_q;
    fqof_d = fqof_q;
    if (word == CQ_FQ_CSR && write_lo) begin
      cqen_d = lo[0];
      cie_d = lo[1];
      cqmf_d = cqmf_q && !lo[8];
      cmd_ill_d = cmd_ill_q && !lo[10];
      fence_w_ip_d = fence_w_ip_q && !lo[11];
    end
    if (word == CQ_FQ_CSR && write_hi) begin
      fqen_d = hi[0];
      fie_d = hi[1];
      fqmf_d = fqmf_q && !hi[8];
      fqof_d = fqof_q && !hi[9];
    end
    if (cq_start) begin
      cqmf_d = 1'b0;
      cmd_ill_d = 1'b0;
      fence_w_ip_d = 1'b0;
    end
    if (fq_start) begin
      fqmf_d = 1'b0;
      fqof_d = 1'b0;
    end
    cqmf_d = cqmf_d || cq_memory_fault_i;
    cmd_ill_d = cmd_ill_d || cq_illegal_i;
    fence_w_ip_d = fence_w_ip_d || cq_fence_wire_i;
    fqmf_d = fqmf_d || fq_error_i;
    fqof_d = fqof_d || fq_overflow_i;
    cqon_d = cqen_q || (cqon_q && !cq_idle_i);
    fqon_d = fqen_q || (fqon_q && !fq_idle_i);
    cip_d = cip_q;
    fip_d = fip_q;
    if (word == PQ_CSR_IPSR && write_hi) begin
      cip_d = cip_q && !hi[0];
      fip_d = fip_q && !hi[1];
    end
    if (cie_q && (cqmf_q || cmd_ill_q || fence_w_ip_q)) cip_d = 1'b1;
    if (fie_q && (fqmf_q || fqof_q || fq_written_i)) fip_d = 1'b1;
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
      9'h000: rdata_d = capabilities_i;
      FCTL: rdata_d = {62'd0, wsi, be};
      DDTP: rdata_d = {10'd0, ppn_q, 5'd0, busy_q, mode_q};
      CQB: rdata_d = {10'd0, cq_ppn_q, 5'd0, cq_log2_q};
      CQ_INDEX: rdata_d = {cq_tail_q, cq_head_i};
      FQB: rdata_d = {10'd0, fq_ppn_q, 5'd0, fq_log2_q};
      FQ_INDEX: rdata_d = {fq_tail_i, fq_head_q};
      CQ_FQ_CSR: begin
        rdata_d = {14'd0, fqen_q != fqon_q, fqon_q, 6'd0, fqof_q, fqmf_q, 6'd0, fie_q, fqen_q,
                   14'd0, cqen_q != cqon_q, cqon_q, 4'd0, fence_w_ip_q, cmd_ill_q, 1'b0, cqmf_q, 6'd0, cie_q, cqen_q};
      end
      PQ_CSR_IPSR: rdata_d = {30'd0, fip_q, cip_q, 32'd0};
      QOSID: rdata_d = {36'd0, qos_q[23:12], 4'd0, qos_q[11:0]};
      ICVEC: rdata_d = {48'd0, icvec_q};
      default: if (in_table) rdata_d = table_word[vector];
    endcase
  end

  always_ff @(posedge clk_i) begin
    ready_q <= first_cycle;
    rdata_q <= rdata_d;
    be_q <= be_d;
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
    fq_ppn_q <= fq_ppn_d;
    fq_log2_q <= fq_log2_d;
    fq_head_q <= fq_head_d;
    cqen_q <= cqen_d;
    cie_q <= cie_d;
    cqmf_q <= cqmf_d;
    cmd_ill_q <= cmd_ill_d;
    fence_w_ip_q <= fence_w_ip_d;
    cqon_q <= cqon_d;
    fqen_q <= fqen_d;
    fie_q <= fie_d;
    fqmf_q <= fqmf_d;
    fqof_q <= fqof_d;
    fqon_q <= fqon_d;
    cip_q <= cip_d;
    fip_q <= fip_d;
    if (rst_i) begin
      ready_q <= 1'b0;
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
      fq_ppn_q <= '0;
      fq_log2_q <= '0;
      fq_head_q <= '0;
      cqen_q <= 1'b0;
      cie_q <= 1'b0;
      cqmf_q <= 1'b0;
      cmd_ill_q <= 1'b0;
      fence_w_ip_q <= 1'b0;
      cqon_q <= 1'b0;
      fqen_q <= 1'b0;
      fie_q <= 1'b0;
      fqmf_q <= 1'b0;
      fqof_q <= 1'b0;
      fqon_q <= 1'b0;
      cip_q <= 1'b0;
      fip_q <= 1'b0;
    end
  end

  assign reg_ready_o = ready_q;
  assign reg_rdata_o = rdata_q;
  assign big_endian_o = be;
  assign wired_o = wsi;
  assign qos_o = qos_q;
  assign ddtp_mode_o = active_mode_q;
  assign ddtp_ppn_o = active_ppn_q;
  assign hold_o = busy_q;
  assign switch_o = switch_now;
  assign cq_on_o = cqon_q;
  assign cq_enable_o = cqen_q;
  assign cq_stopped_o = cqmf_q || cmd_ill_q;
  assign cq_restart_o = cq_start;
  assign cq_ppn_o = cq_ppn_q;
  assign cq_log2_o = cq_log2_q;
  assign cq_tail_o = cq_tail_q;
  assign fq_on_o = fqon_q;
  assign fq_enable_o = fqen_q;
  assign fq_stopped_o = fqmf_q || fqof_q;
  assign fq_restart_o = fq_start;
  assign fq_ppn_o = fq_ppn_q;
  assign fq_log2_o = fq_log2_q;
  assign fq_head_o = fq_head_q;
  assign pending_o = {2'b00, fip_q, cip_q};
  assign vectors_o = icvec_q;

endmodule
`default_nettype wire
