`default_nettype none
// The cycle after the last step of a walk: the record of its result, of success or of a fault, whose answer follows from the cause
// (iommu_walk_outcome.v). Combinational. Which finding of an entry wins decides the cause: the order of the checks is that of the
// specification.
// Source: Process to translate an IOVA, Faults and Fault/Event-Queue.
module iommu_walk_conclude (
    // request_t; context_t, walk_t and finding_t of the last step, context and record as it left them.
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]  request_i,
    input  wire [iommu_spec_pkg::CONTEXT_W-1:0]  context_i,
    input  wire [iommu_spec_pkg::WALK_W-1:0]     walk_i,
    input  wire [iommu_spec_pkg::FINDING_W-1:0]  finding_i,
    // Why it ends (iommu_walk_advance.v: end_o).
    input  wire [4:0]                            end_i,

    output wire                                  fault_o,
    output wire [iommu_spec_pkg::WALK_W-1:0]     walk_o
);
  `include "iommu_records.vh"

  request_t request;
  walk_t    walk, concluded;
  finding_t found;

  assign request = request_i;
  assign walk = walk_i;
  assign found = finding_i;

  wire       disallowed, noncanonical, too_wide, of_process, beyond;
  wire       probe, exec, unused_read, unused_write;
  wire [8:0] access_cause, page_cause, guest_cause;

  assign {disallowed, noncanonical, too_wide, of_process, beyond} = end_i;

  iommu_access_kind u_access_kind (
      .request_i     (request_i),
      .exec_o        (exec),
      .read_o        (unused_read),
      .write_o       (unused_write),
      .probe_o       (probe),
      .access_cause_o(access_cause),
      .page_cause_o  (page_cause),
      .guest_cause_o (guest_cause)
  );

  // ---- Faults: of a directory or of the MSI page table, and of a page table, in the order of the checks ---------------------------------
  wire hurt = found.error || found.poison;
  wire wrong = found.malformed || (found.leaf ? found.bad_page || found.denied : found.bad_pointer);
  wire listed = found.directory || found.process || found.msi;
  wire paged = found.first || found.second;
  wire entry_faults = (listed && (hurt || found.invalid || found.misfit || found.forbidden)) || (paged && (hurt || (!found.lost && wrong)));
  // A and D of the first stage are to be set in a table that the second stage does not let be written.
  wire table_denied = found.first && !hurt && !found.lost && found.leaf && !wrong && found.stale && !walk.table_w && !walk.reused;
  wire fault = entry_faults || table_denied || found.refused || disallowed || noncanonical || too_wide || beyond;

  logic [8:0] access_fault, cause;

  always_comb begin
    // Beyond the physical address size it is an access fault of what would have been loaded.
    access_fault = access_cause;
    if (of_process || found.process || (!found.locate && !found.first && walk.purpose == iommu_spec_pkg::PURPOSE_PROCESS))
      access_fault = iommu_spec_pkg::CAUSE_PDT_ACCESS;
    if (found.start || found.directory) access_fault = iommu_spec_pkg::CAUSE_DDT_ACCESS;
    if (found.index) access_fault = iommu_spec_pkg::CAUSE_MSI_PTE_ACCESS;

    cause = access_fault;
    if (entry_faults) begin
      if (found.error) cause = found.error_cause;
      else if (found.poison) cause = found.poison_cause;
      else if (listed && found.invalid) cause = found.invalid_cause;
      else if (!listed || found.misfit) cause = found.misfit_cause;
      else cause = exec && !probe ? iommu_spec_pkg::CAUSE_INSTRUCTION_ACCESS : iommu_spec_pkg::CAUSE_TRANSACTION_DISALLOWED;
    end
    if (found.refused) cause = found.misfit_cause;
    if (disallowed) cause = iommu_spec_pkg::CAUSE_TRANSACTION_DISALLOWED;
    if (noncanonical) cause = page_cause;
    if (too_wide || table_denied) cause = guest_cause;
  end

  // ---- Success --------------------------------------------------------------------------------------------------------------------------
  wire [iommu_spec_pkg::WALK_W-1:0] finished;
  // D of the entry as it is now, of a successful compare-and-set as well.
  wire                              dirty = walk.entry[7] || (found.updated && found.sets_dirty && walk.entry[2]);

  iommu_walk_finish u_finish (
      .probe_i   (probe),
      .context_i (context_i),
      .walk_i    (walk_i),
      .second_i  (found.second),
      .msi_i     (found.msi),
      .mrif_i    (found.mrif),
      .page_i    (found.page),
      .dirty_i   (dirty),
      .address_i (found.locate || found.bare ? request.iova[55:0] : found.target[55:0]),
      .walk_o    (finished)
  );

  always_comb begin
    concluded = finished;
    if (fault) begin
      concluded = walk;
      concluded.state = iommu_spec_pkg::WALK_DONE;
      concluded.cause = cause;
      concluded.guest_fault = too_wide || table_denied || (found.second && !hurt && !found.lost && wrong);
      concluded.guest_flags = table_denied ? 2'd3 : {1'b0, walk.purpose != iommu_spec_pkg::PURPOSE_REQUEST};
      concluded.r = 1'b0;
      concluded.w = 1'b0;
      concluded.x = 1'b0;
      concluded.g = 1'b0;
      concluded.msi = 1'b0;
      concluded.mrif = 1'b0;
      concluded.pbmt = 2'd0;
    end
  end

  assign fault_o = fault;
  assign walk_o = concluded;

endmodule
`default_nettype wire
