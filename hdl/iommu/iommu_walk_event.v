`default_nettype none
// First half of a step that a memory response begins: what is true of the entry that was read, of a directory, a page table or the MSI
// page table, or of the result of a compare-and-set. Combinational. No conclusion is drawn here but where the data leave no time for it
// later: which finding wins is the second half's business (iommu_walk_advance.v).
// Source: Process to translate an IOVA (steps 1..15), Process to locate the DC / PC, Sv39..Sv57 and Sv39x4..Sv57x4.
module iommu_walk_event (
    // Effective capabilities; fctl.BE.
    input  wire [63:0]                           capabilities_i,
    input  wire                                  big_endian_i,

    // request_t, context_t and walk_t of the walk.
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]  request_i,
    input  wire [iommu_spec_pkg::CONTEXT_W-1:0]  context_i,
    input  wire [iommu_spec_pkg::WALK_W-1:0]     walk_i,

    // Memory response.
    input  wire [511:0]                          data_i,
    input  wire [7:0]                            err_i,
    input  wire [7:0]                            poison_i,

    // The context with what the entry says of it, the record with the entry, and the findings (finding_t).
    output wire [iommu_spec_pkg::CONTEXT_W-1:0]  context_o,
    output wire [iommu_spec_pkg::WALK_W-1:0]     walk_o,
    output wire [iommu_spec_pkg::FINDING_W-1:0]  finding_o
);
  `include "iommu_records.vh"

  request_t request;
  context_t current, decoded, known;
  walk_t    walk, next;
  finding_t finding;

  assign request = request_i;
  assign current = context_i;
  assign walk = walk_i;

  wire       exec, read, write, probe;
  wire [8:0] access_cause, page_cause, guest_cause;

  iommu_access_kind u_access_kind (
      .request_i     (request_i),
      .exec_o        (exec),
      .read_o        (read),
      .write_o       (write),
      .probe_o       (probe),
      .access_cause_o(access_cause),
      .page_cause_o  (page_cause),
      .guest_cause_o (guest_cause)
  );

  wire directory = walk.state == iommu_spec_pkg::WALK_DIRECTORY;
  wire process_directory = walk.state == iommu_spec_pkg::WALK_PROCESS;
  wire msi = walk.state == iommu_spec_pkg::WALK_MSI;
  wire paged = walk.state[3];
  wire of_second = walk.state[2];              // which stage, of a page table
  wire first = paged && !of_second;
  wire second = paged && of_second;
  wire update = paged && walk.state[0];
  wire last = walk.level == 3'd0;

  // ---- Response: little-endian dwords, errors of the dwords that were asked for ---------------------------------------------
  wire extended = capabilities_i[iommu_spec_pkg::CAP_MSI_FLAT];
  // Of a line only the entry that was asked for counts, and only its errors.
  wire  [7:0]  place = walk.place;
  logic [63:0] raw0;

  always_comb begin
    raw0 = '0;
    for (int i = 0; i < 8; i++) raw0 = raw0 | ({64{place[i]}} & data_i[64*i +: 64]);
  end

  wire [63:0]  dword0 = walk.big_endian ? iommu_spec_pkg::reversed(raw0) : raw0;
  wire [63:0]  dword1 = walk.big_endian ? iommu_spec_pkg::reversed(data_i[127:64]) : data_i[127:64];
  // The device directory is in the order of the IOMMU.
  wire [511:0] device_data;

  generate
    for (genvar i = 0; i < 8; i++) begin : g_dword
      assign device_data[64*i +: 64] = big_endian_i ? iommu_spec_pkg::reversed(data_i[64*i +: 64]) : data_i[64*i +: 64];
    end
  endgenerate

  // ---- Directories and the MSI page table -------------------------------------------------------------------------------------
  wire                                 unused_device_valid, device_misconfigured;
  wire [iommu_spec_pkg::CONTEXT_W-1:0] context_decoded;

  iommu_context_check u_context_check (
      .capabilities_i (capabilities_i),
      .big_endian_i   (big_endian_i),
      .data_i         (device_data),
      .valid_o        (unused_device_valid),
      .misconfigured_o(device_misconfigured),
      .context_o      (context_decoded)
  );

  assign decoded = context_decoded;

  wire pointer_reserved = dword0[9:1] != '0 || dword0[63:54] != '0;
  wire process_misconfigured =
      dword0[11:3] != '0 || dword0[63:32] != '0 || dword1[59:44] != '0 ||
      !iommu_spec_pkg::page_table_mode_legal(dword1[63:60],
          {capabilities_i[iommu_spec_pkg::CAP_SV57], capabilities_i[iommu_spec_pkg::CAP_SV48],
           capabilities_i[iommu_spec_pkg::CAP_SV39]});
  wire msi_basic = dword0[2:1] == 2'd3;
  wire msi_basic_reserved = dword0[62:54] != '0 || dword0[9:3] != '0;
  wire msi_mrif_reserved = dword0[62:54] != '0 || dword0[6:3] != '0 || dword1[63:61] != '0 || dword1[59:54] != '0;
  wire msi_misconfigured =
      dword0[63] || !dword0[1] || (msi_basic && msi_basic_reserved) ||
      (!msi_basic && (!capabilities_i[iommu_spec_pkg::CAP_MSI_MRIF] || msi_mrif_reserved));

  // ---- Page tables --------------------------------------------------------------------------------------------------------------
  // A second-stage entry of an implicit access gets D as well when the first stage updates A and D behind it.
  wire implicit = walk.purpose != iommu_spec_pkg::PURPOSE_REQUEST;
  wire sets_dirty = (first || !implicit) ? write : current.sade;
  wire may_update = first ? current.sade : current.gade;

  wire        malformed, leaf, bad_pointer, bad_page;
  wire [2:0]  page;
  wire [43:0] held, inside_page;
  wire [63:0] translated = of_second ? walk.guest : request.iova;
  wire [2:0]  level = of_second ? walk.second_level : walk.level;

  // What a compare-and-set found is what was checked before, else it is lost.
  iommu_pte_check u_pte_check (
      .capabilities_i(capabilities_i),
      .pte_i         (dword0),
      .level_i       (level),
      .page_number_i (translated[55:12]),
      .malformed_o   (malformed),
      .leaf_o        (leaf),
      .bad_pointer_o (bad_pointer),
      .bad_page_o    (bad_page),
      .page_o        (page),
      .held_o        (held),
      .within_o      (inside_page)
  );

  wire pte_r = dword0[1];
  wire pte_w = dword0[2];
  wire pte_x = dword0[3];
  wire pte_u = dword0[4];
  wire stale = !update && leaf && (!dword0[6] || (sets_dirty && pte_w && !dword0[7]));
  wire no_right = !probe && ((exec && !pte_x) || (read && !pte_r) || (write && !pte_w));
  wire first_denied = no_right || (!pte_u && !request.priv) || (pte_u && request.priv && (exec || !current.sum));
  wire second_denied = !pte_u || (implicit ? !pte_r : no_right);

  // ---- Offsets of the next table's entry ------------------------------------------------------------------------------------------
  wire [8:0]  ddi1, unused_ddi2;
  wire [11:0] context_offset;

  iommu_directory_index u_directory_index (
      .extended_i(extended),
      .device_i  (request.did),
      .middle_o  (ddi1),
      .root_o    (unused_ddi2),
      .context_o (context_offset)
  );

  wire         before_last = walk.level == 3'd1;
  wire         to_leaf = paged && leaf;
  logic [8:0]  index;
  logic [11:0] offset;

  // Of a table below the first one.
  always_comb begin
    case (level)
      3'd1: index = translated[20:12];
      3'd2: index = translated[29:21];
      3'd3: index = translated[38:30];
      default: index = translated[47:39];
    endcase
    // Of a leaf, the offset in its page.
    offset = ({12{to_leaf}} & translated[11:0]) | ({12{paged && !leaf}} & {index, 3'd0}) |
        ({12{directory && before_last}} & context_offset) | ({12{directory && !before_last}} & {ddi1, 3'd0}) |
        ({12{process_directory && before_last}} & {request.pid[7:0], 4'd0}) |
        ({12{process_directory && !before_last}} & {request.pid[16:8], 3'd0}) |
        ({12{msi && msi_basic}} & walk.guest[11:0]) | ({12{msi && !msi_basic}} & {dword0[9:7], 9'd0});
  end

  // ---- Findings -------------------------------------------------------------------------------------------------------------------
  always_comb begin
    finding = '0;
    finding.directory = directory;
    finding.process = process_directory;
    finding.first = first;
    finding.second = second;
    finding.msi = msi;
    finding.error = (err_i & walk.asked) != '0;
    finding.poison = (poison_i & walk.asked) != '0;
    finding.lost = update && dword0 != walk.entry;
    finding.updated = update;
    finding.invalid = !dword0[0];
    finding.misfit = msi ? msi_misconfigured : !last ? pointer_reserved : process_directory ? process_misconfigured : device_misconfigured;
    // An interrupt file in memory is no address that the debug port could name.
    finding.forbidden = msi && ((exec && !probe) || (request.debug && !msi_basic));
    finding.malformed = malformed;
    finding.leaf = leaf;
    finding.bad_pointer = bad_pointer;
    finding.bad_page = bad_page;
    finding.denied = (first ? first_denied : second_denied) || (stale && !may_update);
    finding.stale = stale;
    finding.sets_dirty = sets_dirty;
    finding.page = page;
    finding.mrif = !msi_basic;
    finding.target = {8'd0, held | (inside_page & {44{to_leaf}}), offset};

    finding.error_cause = access_cause;
    finding.poison_cause = iommu_spec_pkg::CAUSE_PT_CORRUPTION;
    finding.misfit_cause = first ? page_cause : guest_cause;
    if (second && walk.purpose == iommu_spec_pkg::PURPOSE_PROCESS) begin
      finding.error_cause = iommu_spec_pkg::CAUSE_PDT_ACCESS;
      finding.poison_cause = iommu_spec_pkg::CAUSE_PDT_CORRUPTION;
    end
    finding.invalid_cause = iommu_spec_pkg::CAUSE_DDT_NOT_VALID;
    if (directory) begin
      finding.error_cause = iommu_spec_pkg::CAUSE_DDT_ACCESS;
      finding.poison_cause = iommu_spec_pkg::CAUSE_DDT_CORRUPTION;
      finding.misfit_cause = iommu_spec_pkg::CAUSE_DDT_MISCONFIGURED;
    end
    if (process_directory) begin
      finding.error_cause = iommu_spec_pkg::CAUSE_PDT_ACCESS;
      finding.poison_cause = iommu_spec_pkg::CAUSE_PDT_CORRUPTION;
      finding.invalid_cause = iommu_spec_pkg::CAUSE_PDT_NOT_VALID;
      finding.misfit_cause = iommu_spec_pkg::CAUSE_PDT_MISCONFIGURED;
    end
    if (msi) begin
      finding.error_cause = iommu_spec_pkg::CAUSE_MSI_PTE_ACCESS;
      finding.poison_cause = iommu_spec_pkg::CAUSE_MSI_PT_CORRUPTION;
      finding.invalid_cause = iommu_spec_pkg::CAUSE_MSI_PTE_NOT_VALID;
      finding.misfit_cause = iommu_spec_pkg::CAUSE_MSI_PTE_MISCONFIGURED;
    end
  end

  always_comb begin
    next = walk;
    next.entry = msi ? {9'd0, dword1[53:10], dword1[60], dword1[9:0]} : dword0;
    known = current;
    if (walk.device) known = decoded;
    if (walk.process) begin
      known.resolved = 1'b1;
      known.supervisor = dword0[1];
      known.sum = dword0[2];
      known.pscid = dword0[31:12];
      known.first_mode = dword1[63:60];
      known.first_ppn = dword1[43:0];
    end
  end

  assign context_o = known;
  assign walk_o = next;
  assign finding_o = finding;

endmodule
`default_nettype wire
