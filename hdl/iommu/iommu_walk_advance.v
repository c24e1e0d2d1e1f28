`default_nettype none
// Second half of a step: where a walk goes after its event (iommu_walk_event.v), up to the next memory access, the next look into a
// cache, or the result. Combinational. The parts, each of which may hand on to a later one, are worked out side by side:
//   locate    a device context is known: transaction type checks, process directory or first stage; a message is done here
//   first     the first stage begins: Bare, canonical check, walk cache, or its root table
//   guest     the guest address of the request is known: MSI page table or second stage
//   second    second stage of `guest` begins: Bare, width check, a look into its walk cache, or its root table
//   arrive    the supervisor address of `guest` is known: load what it was for, or finish
//   access    an address to load from is known: width check, issue
module iommu_walk_advance #(
    // 1: entries of last-level first-stage tables are read by the line (iommu_walk_event.v).
    parameter int LINE_READS = 1
) (
    // Effective capabilities; iommu_qosid as {MCID, RCID}.
    input  wire [63:0]                           capabilities_i,
    input  wire [23:0]                           qos_i,

    // Address bits beyond the physical address size.
    input  wire [55:0]                           beyond_i,

    // request_t; context_t, walk_t and decision_t after the event; state before it.
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]  request_i,
    input  wire [iommu_spec_pkg::CONTEXT_W-1:0]  context_i,
    input  wire [iommu_spec_pkg::WALK_W-1:0]     walk_i,
    input  wire [iommu_spec_pkg::DECISION_W-1:0] decision_i,
    input  wire [3:0]                            state_i,

    // Walk cache: last-level first-stage table of the address (supervisor page number), its second-stage attributes, G so far.
    // Second-stage walk cache: it holds something; last-level second-stage table of `walk_i.guest`.
    input  wire                                  table_hit_i,
    input  wire [43:0]                           table_ppn_i,
    input  wire [1:0]                            table_pbmt_i,
    input  wire                                  table_w_i,
    input  wire                                  table_g_i,
    input  wire                                  second_used_i,
    input  wire                                  second_hit_i,
    input  wire [43:0]                           second_ppn_i,

    output wire [iommu_spec_pkg::CONTEXT_W-1:0]  context_o,
    output wire [iommu_spec_pkg::WALK_W-1:0]     walk_o,
    output wire                                  access_o,
    output wire                                  access_update_o,
    output wire [6:0]                            access_size_o,
    output wire [1:0]                            access_pbmt_o,
    output wire [23:0]                           access_qos_o,
    output wire                                  again_o,
    output wire                                  index_o,           // the walk waits for its interrupt file number
    output wire                                  done_o,
    output wire                                  context_fill_o
);
  `include "iommu_records.vh"

  request_t  request;
  decision_t decision;

  assign request = request_i;
  assign decision = decision_i;

  wire translated = request.at == iommu_spec_pkg::AT_TRANSLATED;
  wire untranslated = request.at == iommu_spec_pkg::AT_UNTRANSLATED;
  wire message = request.at == iommu_spec_pkg::AT_MESSAGE;
  wire extended = capabilities_i[iommu_spec_pkg::CAP_MSI_FLAT];
  wire       probe, unused_exec, unused_read, unused_write;
  wire [8:0] access_cause, page_cause, guest_cause;

  iommu_access_kind u_access_kind (
      .request_i     (request_i),
      .exec_o        (unused_exec),
      .read_o        (unused_read),
      .write_o       (unused_write),
      .probe_o       (probe),
      .access_cause_o(access_cause),
      .page_cause_o  (page_cause),
      .guest_cause_o (guest_cause)
  );

  context_t device, known;
  walk_t    walk, issued, next;

  assign device = context_i;
  assign walk = walk_i;

  // ---- Addresses and their widths: every candidate is formed and checked beside the choice among them ---------------------------------
  // 1: the guest address is wider than second-stage mode `mode` translates.
  function automatic beyond_guest;
    input [63:0] target;
    input [3:0]  mode;
    begin
      case (mode)
        4'd8: beyond_guest = target[63:41] != '0;
        4'd9: beyond_guest = target[63:50] != '0;
        default: beyond_guest = target[63:59] != '0;
      endcase
    end
  endfunction

  // Entry of the root table of second-stage mode `mode` for a guest address.
  function automatic [55:0] second_root;
    input [43:0] ppn;
    input [58:0] target;
    input [3:0]  mode;
    begin
      case (mode)
        4'd8: second_root = {ppn[43:2], target[40:30], 3'd0};
        4'd9: second_root = {ppn[43:2], target[49:39], 3'd0};
        default: second_root = {ppn[43:2], target[58:48], 3'd0};
      endcase
    end
  endfunction

  logic [2:0]  process_level;
  logic [11:0] process_offset;
  logic        process_too_wide, canonical;
  logic [8:0]  root_vpn;

  always_comb begin
    case (device.first_mode[1:0])
      2'd1: process_too_wide = request.pid[19:8] != '0;
      2'd2: process_too_wide = request.pid[19:17] != '0;
      default: process_too_wide = 1'b0;
    endcase
    process_level = {1'b0, device.first_mode[1:0]} - 3'd1;
    case (process_level)
      3'd0: process_offset = {request.pid[7:0], 4'd0};
      3'd1: process_offset = {request.pid[16:8], 3'd0};
      default: process_offset = {6'd0, request.pid[19:17], 3'd0};
    endcase
    case (device.first_mode)
      4'd8: begin
        canonical = request.iova[63:39] == {25{request.iova[38]}};
        root_vpn = request.iova[38:30];
      end
      4'd9: begin
        canonical = request.iova[63:48] == {16{request.iova[47]}};
        root_vpn = request.iova[47:39];
      end
      default: begin
        canonical = request.iova[63:57] == {7{request.iova[56]}};
        root_vpn = request.iova[56:48];
      end
    endcase
  end

  wire [63:0] iova = request.iova;
  wire [63:0] root_entry = {8'd0, device.first_ppn, root_vpn, 3'd0};
  wire [63:0] process_entry = {8'd0, device.first_ppn, process_offset};
  wire [55:0] table_address = {table_ppn_i, request.iova[20:12], 3'd0};
  wire [55:0] hit_address = {second_ppn_i, walk.guest[20:12], 3'd0};

  // ---- Locate and first ---------------------------------------------------------------------------------------------------------------
  wire barred = !untranslated && !device.en_ats;
  wire no_process = request.pv && (!device.pdtv || (!device.resolved && process_too_wide));
  wire allowed = decision.locate && !message && !barred && !no_process;
  // The first stage is known: no process directory has to be walked.
  wire known_stage = device.resolved || !device.pdtv;
  wire settled = allowed && !translated && known_stage;
  wire unprivileged = settled && request.priv && !device.supervisor;
  wire by_default = (!request.pv && !device.dpe) || device.first_mode == 4'd0;
  wire direct = allowed && translated && !device.t2gpa;
  wire defaulted = allowed && !translated && !known_stage && by_default;
  wire to_process = allowed && !translated && !known_stage && !by_default;
  wire guest_is_iova = allowed && translated && device.t2gpa;
  wire answered = decision.locate && message && device.en_pri;
  wire disallowed = (decision.locate && (message ? !device.en_pri : barred || no_process)) || unprivileged;

  wire first = settled && !unprivileged;
  wire bare = guest_is_iova || defaulted || (first && device.first_mode == 4'd0);
  wire paged = first && device.first_mode != 4'd0;
  wire reuses = table_hit_i && !walk.cold;
  wire noncanonical = paged && !canonical;
  wire to_table = paged && canonical && reuses;
  wire to_root = paged && canonical && !reuses;

  always_comb begin
    known = device;
    known.resolved = device.resolved || settled || defaulted;
    if (guest_is_iova || defaulted) known.first_mode = 4'd0;
  end

  // ---- Guest and second ---------------------------------------------------------------------------------------------------------------
  wire to_msi = (decision.guest || bare) && device.msi;
  wire second_iova = bare && !device.msi;
  wire second_walk = decision.second || (decision.guest && !device.msi);
  wire second = second_iova || second_walk || to_root || to_process;
  wire second_bare = device.second_mode == 4'd0;
  wire too_wide = !second_bare &&
      ((second_iova && beyond_guest(iova, device.second_mode)) || (second_walk && beyond_guest(walk.guest, device.second_mode)) ||
       (to_root && beyond_guest(root_entry, device.second_mode)) || (to_process && beyond_guest(process_entry, device.second_mode)));
  wire stage = second && !second_bare && !too_wide;
  wire looks = stage && second_used_i && state_i != iommu_spec_pkg::WALK_GUEST;
  wire found = stage && second_used_i && state_i == iommu_spec_pkg::WALK_GUEST && second_hit_i;
  wire descends = stage && !(second_used_i && (second_hit_i || state_i != iommu_spec_pkg::WALK_GUEST));

  logic [1:0]  purpose;
  logic [63:0] guest;

  always_comb begin
    purpose = walk.purpose;
    if (decision.guest || bare) purpose = iommu_spec_pkg::PURPOSE_REQUEST;
    else if (to_root || to_table) purpose = iommu_spec_pkg::PURPOSE_FIRST;
    else if (to_process) purpose = iommu_spec_pkg::PURPOSE_PROCESS;
    guest = (bare || direct) ? iova : to_root ? root_entry : to_process ? process_entry : walk.guest;
  end

  // ---- Arrive, finish, access -----------------------------------------------------------------------------------------------------------
  wire        arrives = decision.arrive || (second && second_bare);
  wire        loads_first = arrives && purpose == iommu_spec_pkg::PURPOSE_FIRST;
  wire        loads_process = arrives && purpose == iommu_spec_pkg::PURPOSE_PROCESS;
  wire        finish = decision.finish || answered || direct || (arrives && !loads_first && !loads_process);
  wire [55:0] s_address = (second || direct) ? guest[55:0] : decision.s_address;
  wire        loads = loads_first || loads_process;
  wire        issues = decision.access || to_table || found || descends || loads;

  logic [55:0] address;
  logic        beyond;

  always_comb begin
    address = decision.access ? decision.address : to_table ? table_address : found ? hit_address : loads ? s_address
        : second_root(device.second_ppn, guest[58:0], device.second_mode);
    beyond =
        (decision.access && (decision.address & beyond_i) != '0) ||
        (to_table && (table_address & beyond_i) != '0) ||
        (found && (hit_address & beyond_i) != '0) ||
        (loads && decision.arrive && (decision.s_address & beyond_i) != '0) ||
        (loads && second_walk && (walk.guest[55:0] & beyond_i) != '0) ||
        (loads && to_root && (root_entry[55:0] & beyond_i) != '0) ||
        (loads && to_process && (process_entry[55:0] & beyond_i) != '0) ||
        (descends && second_iova && (second_root(device.second_ppn, iova[58:0], device.second_mode) & beyond_i) != '0) ||
        (descends && second_walk && (second_root(device.second_ppn, walk.guest[58:0], device.second_mode) & beyond_i) != '0) ||
        (descends && to_root && (second_root(device.second_ppn, root_entry[58:0], device.second_mode) & beyond_i) != '0) ||
        (descends && to_process && (second_root(device.second_ppn, process_entry[58:0], device.second_mode) & beyond_i) != '0);
  end

  // ---- Faults: what each of them means, beside the choice among them ------------------------------------------------------------------
  localparam int OUTCOME_W = 12;

  // {cause, status, record} of a fault.
  function automatic [OUTCOME_W-1:0] outcome;
    input [8:0] of;
    input       asks;
    input       dtf;
    begin
      if (asks && iommu_spec_pkg::untranslatable(of)) outcome = {of, iommu_pkg::RESPONSE_SUCCESS, 1'b0};
      else
        outcome = {of, asks && !iommu_spec_pkg::unsupported_request(of) ? iommu_pkg::RESPONSE_CA : iommu_pkg::RESPONSE_UR,
                   !dtf || iommu_spec_pkg::reported_despite_dtf(of)};
    end
  endfunction

  logic [8:0]           access_fault;
  logic [OUTCOME_W-1:0] outcomes;

  // Beyond the physical address size it is an access fault of what would have been loaded.
  always_comb begin
    access_fault = access_cause;
    if (loads_process || ((found || descends) && purpose == iommu_spec_pkg::PURPOSE_PROCESS)) access_fault = iommu_spec_pkg::CAUSE_PDT_ACCESS;
    if (decision.access) begin
      case (walk.state)
        iommu_spec_pkg::WALK_DIRECTORY: access_fault = iommu_spec_pkg::CAUSE_DDT_ACCESS;
        iommu_spec_pkg::WALK_MSI: access_fault = iommu_spec_pkg::CAUSE_MSI_PTE_ACCESS;
        iommu_spec_pkg::WALK_SECOND:
          if (walk.purpose == iommu_spec_pkg::PURPOSE_PROCESS) access_fault = iommu_spec_pkg::CAUSE_PDT_ACCESS;
        default: ;
      endcase
    end
    outcomes = outcome(access_fault, probe, device.dtf);
    if (decision.fault) outcomes = outcome(decision.cause, probe, device.dtf);
    if (disallowed) outcomes = outcome(iommu_spec_pkg::CAUSE_TRANSACTION_DISALLOWED, probe, device.dtf);
    if (noncanonical) outcomes = outcome(page_cause, probe, device.dtf);
    if (too_wide) outcomes = outcome(guest_cause, probe, device.dtf);
  end

  wire fault = decision.fault || disallowed || noncanonical || too_wide || beyond;
  wire access = issues && !beyond;
  wire again = decision.again || to_msi || looks;

  // ---- The record ----------------------------------------------------------------------------------------------------------------------
  always_comb begin
    issued = walk;
    issued.guest = guest;
    issued.purpose = purpose;
    if (bare || direct) begin
      {issued.r, issued.w, issued.x, issued.d, issued.g} = 5'b11111;
      issued.pbmt = 2'd0;
      issued.page = iommu_spec_pkg::PAGE_NONE;
    end
    if (to_process) issued.level = process_level;
    if (to_root) begin
      issued.level = device.first_mode[2:0] + 3'd2;
      issued.g = 1'b0;
    end
    if (to_table) begin
      issued.reused = 1'b1;
      issued.level = 3'd0;
      issued.g = table_g_i;
      issued.table_w = table_w_i;
      issued.table_pbmt = table_pbmt_i;
    end
    if (loads_first) issued.table_w = decision.s_w;
    if (loads) issued.table_pbmt = decision.s_pbmt;
    if (found) issued.second_level = 3'd0;
    if (descends) issued.second_level = device.second_mode[2:0] + 3'd2;
    if (to_msi || looks) issued.state = iommu_spec_pkg::WALK_GUEST;
    if (to_table || loads_first) issued.state = iommu_spec_pkg::WALK_FIRST;
    if (loads_process) issued.state = iommu_spec_pkg::WALK_PROCESS;
    if (found || descends) issued.state = iommu_spec_pkg::WALK_SECOND;
    if (issues) issued.address = address;
  end

  wire [iommu_spec_pkg::WALK_W-1:0] finished;

  iommu_walk_finish u_finish (
      .probe_i   (probe),
      .context_i (context_i),
      .walk_i    (issued),
      .decision_i(decision_i),
      .address_i (s_address),
      .walk_o    (finished)
  );

  always_comb begin
    next = issued;
    if (finish) next = finished;
    if (fault) begin
      next.state = iommu_spec_pkg::WALK_DONE;
      {next.cause, next.status, next.record} = outcomes;
      next.guest_fault = too_wide || (decision.fault && decision.guest_fault);
      next.guest_flags = too_wide ? {1'b0, purpose != iommu_spec_pkg::PURPOSE_REQUEST} : decision.guest_flags;
      next.r = 1'b0;
      next.w = 1'b0;
      next.x = 1'b0;
      next.g = 1'b0;
      next.msi = 1'b0;
      next.mrif = 1'b0;
      next.pbmt = 2'd0;
    end
  end

  // ---- The access ----------------------------------------------------------------------------------------------------------------------
  logic [6:0] access_size;

  always_comb begin
    case (issued.state)
      iommu_spec_pkg::WALK_DIRECTORY: access_size = issued.level != 3'd0 ? 7'd8 : extended ? 7'd64 : 7'd32;
      iommu_spec_pkg::WALK_PROCESS: access_size = issued.level != 3'd0 ? 7'd8 : 7'd16;
      iommu_spec_pkg::WALK_MSI: access_size = 7'd16;
      iommu_spec_pkg::WALK_FIRST: access_size = LINE_READS != 0 && issued.level == 3'd0 ? 7'd64 : 7'd8;
      default: access_size = 7'd8;
    endcase
  end

  assign context_o = known;
  assign walk_o = next;
  assign access_o = access;
  assign access_update_o = decision.update;
  assign access_size_o = access_size;
  assign access_pbmt_o = issued.state == iommu_spec_pkg::WALK_FIRST || issued.state == iommu_spec_pkg::WALK_PROCESS ||
      issued.state == iommu_spec_pkg::WALK_FIRST_UPDATE ? issued.table_pbmt : 2'd0;
  assign access_qos_o = issued.state == iommu_spec_pkg::WALK_DIRECTORY ? qos_i : device.qos;
  assign again_o = again && !fault;
  assign index_o = decision.index;
  assign done_o = fault || finish;
  assign context_fill_o = (first && !decision.cached) || defaulted;

`ifndef SYNTHESIS
  initial begin
    if ($bits(request) != iommu_spec_pkg::REQUEST_W || $bits(known) != iommu_spec_pkg::CONTEXT_W ||
        $bits(next) != iommu_spec_pkg::WALK_W || $bits(decision) != iommu_spec_pkg::DECISION_W)
      $fatal(1, "iommu_walk_advance: a width in iommu_spec_pkg is not that of its record");
  end
`endif

endmodule
`default_nettype wire
