`default_nettype none
// Second half of a step: where a walk goes after what the first half found (iommu_walk_event.v, iommu_walk_look.v): to the next memory
// access, the next look into a cache, or to its end, whose record follows in a third cycle (iommu_walk_conclude.v). Combinational. The
// parts, each of which may hand on to a later one, are worked out side by side:
//   entry     which finding of an entry wins
//   locate    a device context is known: transaction type checks, process directory or first stage; a message is done here
//   first     the first stage begins: Bare, canonical check, walk cache, or its root table
//   second    the second stage begins, of the address of the request, of the entry, or of a root table: Bare, width check, a look into
//             its caches, or its root table
//   access    an address to load from is known: width check, issue
// What only counts with an access (address, size, the record) is chosen by what is known early, whether there is an access or not.
module iommu_walk_advance #(
    // 1: an entry of a last-level first-stage table is read with its line of 64 bytes.
    parameter int LINE_READS = 1
) (
    // Effective capabilities; fctl.BE; iommu_qosid as {MCID, RCID}.
    input  wire [63:0]                           capabilities_i,
    input  wire                                  big_endian_i,
    input  wire [23:0]                           qos_i,

    // Page number bits beyond the physical address size, which is 14 bits or more.
    input  wire [43:0]                           beyond_i,

    // request_t; context_t and walk_t with the entry that was read; finding_t.
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]  request_i,
    input  wire [iommu_spec_pkg::CONTEXT_W-1:0]  context_i,
    input  wire [iommu_spec_pkg::WALK_W-1:0]     walk_i,
    input  wire [iommu_spec_pkg::FINDING_W-1:0]  finding_i,

    // Walk cache: last-level first-stage table of the address (supervisor page number), its second-stage attributes, G so far.
    // Second-stage walk cache: it holds something; last-level second-stage table of the guest address.
    input  wire                                  table_hit_i,
    input  wire [43:0]                           table_ppn_i,
    input  wire [1:0]                            table_pbmt_i,
    input  wire                                  table_w_i,
    input  wire                                  table_g_i,
    input  wire                                  second_used_i,
    input  wire                                  second_hit_i,
    input  wire [43:0]                           second_ppn_i,

    // The context after the step, and the record if the walk goes on.
    output wire [iommu_spec_pkg::CONTEXT_W-1:0]  context_o,
    output wire [iommu_spec_pkg::WALK_W-1:0]     walk_o,

    // Memory access; operands of a compare-and-set as {expected, new}, in memory order. A line is read from its start.
    output wire                                  access_o,
    output wire                                  access_update_o,
    output wire [55:0]                           access_address_o,
    output wire [6:0]                            access_size_o,
    output wire [127:0]                          access_data_o,
    output wire [1:0]                            access_pbmt_o,
    output wire [23:0]                           access_qos_o,

    output wire                                  again_o,
    output wire                                  index_o,           // the walk waits for its interrupt file number
    // None of them: the walk ends. Why, for iommu_walk_conclude.v: {the context or the process ID does not allow the transaction, the
    // address is not canonical, is wider than the second stage translates, an entry of the process directory comes next, what comes next
    // is beyond the physical address size}.
    output wire [4:0]                            end_o,
    // It ends in success with the entry that was read: known early, with its record.
    output wire                                  ends_o,
    output wire [iommu_spec_pkg::WALK_W-1:0]     ended_walk_o,

    // The context is to be cached; the table that was read is a last-level one of the first or of the second stage.
    output wire                                  context_fill_o,
    output wire                                  table_fill_o,
    output wire                                  second_fill_o,
    // The second stage's leaf was read, and what of it may be cached (second_leaf_t).
    output wire                                  leaf_fill_o,
    output wire [iommu_spec_pkg::SECOND_LEAF_W-1:0] leaf_o
);
  `include "iommu_records.vh"

  request_t request;
  context_t device, known;
  walk_t    walk, issued;
  finding_t found;

  // Modes of page tables are 0 (Bare), 8, 9, 10: bit 3 tells whether there is one.
  assign request = request_i;
  assign device = context_i;
  assign walk = walk_i;
  assign found = finding_i;

  wire translated = request.at == iommu_spec_pkg::AT_TRANSLATED;
  wire untranslated = request.at == iommu_spec_pkg::AT_UNTRANSLATED;
  wire message = request.at == iommu_spec_pkg::AT_MESSAGE;
  wire extended = capabilities_i[iommu_spec_pkg::CAP_MSI_FLAT];
  wire       probe, unused_exec, unused_read, unused_write;
  wire [8:0] unused_access_cause, unused_page_cause, unused_guest_cause;

  iommu_access_kind u_access_kind (
      .request_i     (request_i),
      .exec_o        (unused_exec),
      .read_o        (unused_read),
      .write_o       (unused_write),
      .probe_o       (probe),
      .access_cause_o(unused_access_cause),
      .page_cause_o  (unused_page_cause),
      .guest_cause_o (unused_guest_cause)
  );

  // ---- Entry --------------------------------------------------------------------------------------------------------------------------
  // The PTE as it is now, of a successful compare-and-set as well; in other steps it is not looked at.
  wire [63:0] pte = walk.entry;
  wire        pte_r = pte[1];
  wire        pte_w = pte[2];
  wire        pte_x = pte[3];
  wire        pte_u = pte[4];
  wire        pte_g = pte[5];
  wire        marks_d = found.sets_dirty && pte_w;
  wire        pte_d = pte[7] || (found.updated && marks_d);
  wire [1:0]  pte_pbmt = pte[62:61];
  wire [63:0] pte_marked = {pte[63:8], pte[7] || marks_d, 1'b1, pte[5:0]};

  wire hurt = found.error || found.poison;
  wire gone = hurt || found.lost;
  wire wrong = found.malformed || (found.leaf ? found.bad_page || found.denied : found.bad_pointer);
  wire leaf_good = !gone && found.leaf && !wrong && !found.stale;
  wire leaf_stale = !gone && found.leaf && !wrong && found.stale;
  wire pointer_good = !gone && !found.leaf && !wrong;
  wire entry_good = !hurt && !found.invalid && !found.misfit && !found.forbidden;
  wire last = walk.level == 3'd0;

  wire first_leaf = found.first && leaf_good;
  wire first_pointer = found.first && pointer_good;
  wire first_update = found.first && leaf_stale && walk.table_w;
  // The record needs the guest address of the table, which the walk cache does not hold.
  wire restarts = found.first && leaf_stale && !walk.table_w && walk.reused;
  wire second_leaf = found.second && leaf_good;
  wire second_pointer = found.second && pointer_good;
  wire second_update = found.second && leaf_stale;
  wire repeats = (found.first || found.second) && !hurt && found.lost;
  wire directory_pointer = found.directory && entry_good && !last;
  wire directory_leaf = found.directory && entry_good && last;
  wire process_pointer = found.process && entry_good && !last;
  wire process_leaf = found.process && entry_good && last;
  wire to_index = found.guest && found.msi_match;

  // ---- Addresses: every candidate is formed beside the choice among them ----------------------------------------------------------------
  // 1: the guest address is wider than second-stage mode `stage_mode` translates.
  function automatic beyond_guest;
    input [63:0] guest_address;
    input [1:0]  stage_mode;
    begin
      case (stage_mode)
        2'd0: beyond_guest = guest_address[63:41] != '0;
        2'd1: beyond_guest = guest_address[63:50] != '0;
        default: beyond_guest = guest_address[63:59] != '0;
      endcase
    end
  endfunction

  // Index into the root table of second-stage mode `stage_mode` for a guest address.
  function automatic [10:0] second_index;
    input [58:0] guest_address;
    input [1:0]  stage_mode;
    begin
      case (stage_mode)
        2'd0: second_index = guest_address[40:30];
        2'd1: second_index = guest_address[49:39];
        default: second_index = guest_address[58:48];
      endcase
    end
  endfunction

  logic [2:0]  process_level;
  logic [11:0] process_offset;
  logic        process_too_wide, canonical;
  logic [8:0]  root_vpn;

  always_comb begin
    case (device.first_mode[1:0])
      2'd1: process_too_wide = found.wide_process[0];
      2'd2: process_too_wide = found.wide_process[1];
      default: process_too_wide = 1'b0;
    endcase
    process_level = {1'b0, device.first_mode[1:0]} - 3'd1;
    case (device.first_mode[1:0])
      2'd1: process_offset = {request.pid[7:0], 4'd0};
      2'd2: process_offset = {request.pid[16:8], 3'd0};
      default: process_offset = {6'd0, request.pid[19:17], 3'd0};
    endcase
    case (device.first_mode[1:0])
      2'd0: begin
        canonical = found.canonical[0];
        root_vpn = request.iova[38:30];
      end
      2'd1: begin
        canonical = found.canonical[1];
        root_vpn = request.iova[47:39];
      end
      default: begin
        canonical = found.canonical[2];
        root_vpn = request.iova[56:48];
      end
    endcase
  end

  wire [63:0] iova = request.iova;
  wire [1:0]  mode = device.second_mode[1:0];
  wire [63:0] target = found.target;
  wire [55:0] root_entry = {device.first_ppn, root_vpn, 3'd0};
  wire [55:0] process_entry = {device.first_ppn, process_offset};
  wire [55:0] table_address = {table_ppn_i, iova[20:12], 3'd0};
  wire [55:0] hit_address = {second_ppn_i, target[20:12], 3'd0};

  // ---- Locate and first ---------------------------------------------------------------------------------------------------------------
  wire barred = !untranslated && !device.en_ats;
  wire no_process = request.pv && (!device.pdtv || (!device.resolved && process_too_wide));
  wire unprivileged = request.priv && !device.supervisor;
  wire located = found.locate && !message && !barred;
  wire allowed = located && !no_process;

  wire first = located && found.staged && !(request.pv && !device.pdtv) && !unprivileged;
  wire defaulted = allowed && found.defaulted;
  wire to_process = allowed && found.to_process;
  wire guest_is_iova = allowed && translated && device.t2gpa;
  wire disallowed = found.locate && (message ? !device.en_pri : barred || no_process || (found.staged && unprivileged));

  wire bare = guest_is_iova || defaulted || (first && !device.first_mode[3]);
  wire paged = first && device.first_mode[3];
  wire reuses = table_hit_i && !walk.cold;
  wire to_table = paged && canonical && reuses;
  wire to_root = paged && canonical && !reuses;

  // By what is known early: what a context that allows the transaction leads to.
  wire of_process = found.to_process;
  wire of_staged = found.locate && found.staged;
  wire of_first = of_staged && device.first_mode[3];
  wire of_table = of_first && reuses;
  wire of_root = of_first && !reuses;
  wire of_iova = found.locate && !of_process && !(found.staged && device.first_mode[3]);

  always_comb begin
    known = device;
    // By the first half already if the entry of a process was read: not if that is none.
    known.resolved = (device.resolved && !(found.process && last && !entry_good)) || of_staged || found.defaulted;
    if (found.locate && (translated ? device.t2gpa : found.defaulted)) known.first_mode = 4'd0;
  end

  // ---- Second: of each address that it may begin with ---------------------------------------------------------------------------------
  wire second_bare = !device.second_mode[3];
  wire to_msi = (first_leaf || bare) && device.msi;
  wire begins_iova = bare && !device.msi;
  wire begins_target = first_pointer || process_pointer || (found.guest && !to_index) || (first_leaf && !device.msi);
  wire iova_wide = mode == 2'd0 ? found.wide[0] : mode == 2'd1 ? found.wide[1] : found.wide[2];
  wire wide_iova = begins_iova && iova_wide;
  wire wide_target = begins_target && beyond_guest(target, mode);
  wire wide_root = to_root && beyond_guest({8'd0, root_entry}, mode);
  wire wide_process = to_process && beyond_guest({8'd0, process_entry}, mode);
  wire too_wide = !second_bare && (wide_iova || wide_target || wide_root || wide_process);
  // A guest address that has not been looked up yet; one that has; none of them too wide.
  wire second_new = !second_bare && ((begins_iova && !wide_iova) || (to_root && !wide_root) || (to_process && !wide_process) ||
                                     (begins_target && !found.guest && !wide_target));
  wire second_known = !second_bare && found.guest && !to_index && !wide_target;
  wire looks = second_used_i && second_new;
  wire reuses_second = second_used_i && second_hit_i;
  wire continues = second_known && reuses_second;
  wire descends = (second_known && !reuses_second) || (second_new && !second_used_i);

  // ---- Access: the choice among the addresses by what is known early ------------------------------------------------------------------
  wire of_same = (found.first || found.second) && (found.lost || found.stale);
  wire of_leaf = found.leaf && !of_same;
  wire of_hit = found.guest && reuses_second;
  wire below = found.guest || found.first || found.process;                   // of the second stage of `target`
  wire of_target = found.start || found.directory || found.index || found.second || (below && second_bare);
  wire descends_process = of_process && !second_bare;
  wire descends_target = below && !second_bare && !of_hit;

  // Of the first stage: its root table, or that of the second stage on the way there; or of others. Whether the walk cache knows a table,
  // and whether an entry has to be accessed again, comes last.
  wire [55:0] first_address = second_bare ? root_entry : {device.second_ppn[43:2], second_index({3'd0, root_entry}, mode), 3'd0};
  wire [10:0] second_root =
      ({11{of_iova}} & second_index(iova[58:0], mode)) |
      ({11{descends_process}} & second_index({3'd0, process_entry}, mode)) |
      ({11{descends_target}} & second_index(target[58:0], mode));
  wire [55:0] other_address =
      ({56{of_process && second_bare}} & process_entry) |
      ({56{of_hit && !second_bare}} & hit_address) |
      ({56{of_target}} & target[55:0]) |
      {{42{of_iova || descends_process || descends_target}} & device.second_ppn[43:2], second_root, 3'd0};
  wire [55:0] address = ({56{!of_same}} & other_address) | ({56{of_same}} & walk.address) |
      ({56{of_root}} & first_address) | ({56{of_table}} & table_address);

  // Which walk goes on by which address. A table that has been read before is not beyond the physical address size.
  wire of_purpose_first = walk.purpose == iommu_spec_pkg::PURPOSE_FIRST;
  wire of_purpose_process = walk.purpose == iommu_spec_pkg::PURPOSE_PROCESS;
  wire by_target = found.start || directory_pointer || second_pointer || found.index ||
      (second_leaf && (of_purpose_first || of_purpose_process)) || (second_bare && (first_pointer || process_pointer));
  wire by_root = second_bare && (to_root || to_process);
  wire again_read = first_update || second_update || repeats || to_table;
  wire target_beyond = (target[55:12] & beyond_i) != '0;
  wire first_beyond = (device.first_ppn & beyond_i) != '0;
  wire second_beyond = (device.second_ppn & beyond_i) != '0;
  wire accesses = again_read || continues || (by_target && !target_beyond) || (by_root && !first_beyond) || (descends && !second_beyond);
  wire beyond = (by_target && target_beyond) || (by_root && first_beyond) || (descends && second_beyond);
  wire update = first_update || second_update;

  // What comes back: an entry of the process directory or of the first stage, in the order of the context's software, or of the IOMMU's.
  wire ends_second = found.second && found.leaf && !of_same;
  wire reads_process = (second_bare && (of_process || found.process)) || (ends_second && of_purpose_process);
  wire reads_first = of_table || (of_root && second_bare) || (found.first && (of_same || second_bare)) ||
      (ends_second && of_purpose_first);
  wire of_software = reads_process || reads_first;
  wire reads_line = LINE_READS != 0 &&
      (of_table || (found.first && found.lost && last) || (found.first && !of_same && second_bare && walk.level == 3'd1) ||
       (ends_second && of_purpose_first && last));
  wire reads_device = (found.start && last) || (found.directory && walk.level == 3'd1);
  wire last_process = found.process ? walk.level == 3'd1 : found.locate ? process_level == 3'd0 : last;
  wire reads_two = (reads_process && last_process) || found.index;

  logic [6:0] access_size;

  always_comb begin
    access_size = 7'd8;
    if (reads_device) access_size = extended ? 7'd64 : 7'd32;
    if (reads_two) access_size = 7'd16;
    if (reads_line) access_size = 7'd64;
  end

  // ---- The record, by what is known early: it counts if the walk goes on, parts of it for its end ---------------------------------------
  logic [3:0] second_state;

  always_comb begin
    // Of an address under the second stage.
    second_state = second_used_i && !found.guest ? iommu_spec_pkg::WALK_GUEST : iommu_spec_pkg::WALK_SECOND;
    issued = walk;
    if (of_iova || (found.first && of_leaf)) issued.purpose = iommu_spec_pkg::PURPOSE_REQUEST;
    if (of_first) issued.purpose = iommu_spec_pkg::PURPOSE_FIRST;
    if (of_process) issued.purpose = iommu_spec_pkg::PURPOSE_PROCESS;
    // A fault of the second stage names the address before it was translated; where A and D cannot be set that is the table's.
    if (found.process || (found.first && !found.stale)) issued.guest = target;
    if (found.bare || of_iova) issued.guest = iova;
    if (of_root) issued.guest = {8'd0, root_entry};
    if (of_process) issued.guest = {8'd0, process_entry};
    issued.big_endian = of_software ? device.sbe : big_endian_i;
    issued.place = reads_line ? 8'd1 << iova[14:12] : 8'd1;
    issued.device = reads_device;
    issued.process = reads_process && last_process;
    issued.asked = issued.place;
    if (reads_device) issued.asked = extended ? 8'hFF : 8'h0F;
    if (reads_two) issued.asked = 8'h03;
    if (found.first) begin
      issued.r = pte_r;
      issued.w = pte_w;
      // Supervisor accesses never execute from user pages.
      issued.x = pte_x && !(pte_u && request.priv);
      issued.d = pte_d;
      issued.pbmt = pte_pbmt;
      issued.page = found.page;
      if (!found.lost && !found.stale) issued.g = walk.g || pte_g;
    end
    if (found.bare || of_iova) begin
      {issued.r, issued.w, issued.x, issued.d, issued.g} = 5'b11111;
      issued.pbmt = 2'd0;
      issued.page = iommu_spec_pkg::PAGE_NONE;
    end
    if (found.start || found.cached) issued.reused = 1'b0;
    if (found.first && found.stale && !walk.table_w && walk.reused) issued.cold = 1'b1;
    if (((found.directory || found.process) && !last) || (found.first && !found.leaf && !found.lost)) issued.level = walk.level - 3'd1;
    if (of_process) issued.level = process_level;
    if (of_root) begin
      issued.level = device.first_mode[2:0] + 3'd2;
      issued.g = 1'b0;
    end
    if (of_table) begin
      issued.reused = 1'b1;
      issued.level = 3'd0;
      issued.g = table_g_i;
    end
    if (reads_first && !of_same) begin
      issued.table_w = of_table ? table_w_i : found.second ? pte_w : 1'b1;
      issued.table_pbmt = of_table ? table_pbmt_i : found.second ? pte_pbmt : 2'd0;
    end
    if (reads_process) issued.table_pbmt = found.second ? pte_pbmt : 2'd0;
    if (found.locate || (below && !of_same)) issued.second_level = of_hit ? 3'd0 : device.second_mode[2:0] + 3'd2;
    if (found.second && !found.leaf && !found.lost) issued.second_level = walk.second_level - 3'd1;
    if (found.start || found.directory)
      issued.state = found.directory && last ? iommu_spec_pkg::WALK_CONTEXT : iommu_spec_pkg::WALK_DIRECTORY;
    if (found.process)
      issued.state = last ? iommu_spec_pkg::WALK_CONTEXT : second_bare ? iommu_spec_pkg::WALK_PROCESS : second_state;
    if (of_process) issued.state = second_bare ? iommu_spec_pkg::WALK_PROCESS : second_state;
    if (of_root) issued.state = second_bare ? iommu_spec_pkg::WALK_FIRST : second_state;
    if (of_table) issued.state = iommu_spec_pkg::WALK_FIRST;
    if (of_iova) issued.state = device.msi ? iommu_spec_pkg::WALK_GUEST : second_state;
    if (found.guest) issued.state = to_index ? iommu_spec_pkg::WALK_MSI_INDEX : iommu_spec_pkg::WALK_SECOND;
    if (found.index) issued.state = iommu_spec_pkg::WALK_MSI;
    if (found.first) begin
      if (found.lost) issued.state = iommu_spec_pkg::WALK_FIRST;
      else if (found.stale) issued.state = walk.table_w ? iommu_spec_pkg::WALK_FIRST_UPDATE : iommu_spec_pkg::WALK_START;
      else if (found.leaf && device.msi) issued.state = iommu_spec_pkg::WALK_GUEST;
      else issued.state = second_bare ? iommu_spec_pkg::WALK_FIRST : second_state;
    end
    if (found.second) begin
      if (found.stale && !found.lost) issued.state = iommu_spec_pkg::WALK_SECOND_UPDATE;
      else if (ends_second) issued.state = of_purpose_process ? iommu_spec_pkg::WALK_PROCESS : iommu_spec_pkg::WALK_FIRST;
      else issued.state = iommu_spec_pkg::WALK_SECOND;
    end
    issued.address = address;
  end

  // ---- The end with the entry that was read ---------------------------------------------------------------------------------------------
  walk_t                            rights;
  wire                              ends = (second_leaf && walk.purpose == iommu_spec_pkg::PURPOSE_REQUEST) ||
      (first_leaf && !device.msi && second_bare);

  // Rights of the first stage and the guest address, where the walk ends with the entry that was read: of that, or as they were.
  always_comb begin
    rights = walk;
    if (found.first) begin
      rights.guest = target;
      rights.purpose = iommu_spec_pkg::PURPOSE_REQUEST;
      rights.r = pte_r;
      rights.w = pte_w;
      rights.x = pte_x && !(pte_u && request.priv);
      rights.d = pte_d;
      rights.g = walk.g || pte_g;
      rights.pbmt = pte_pbmt;
      rights.page = found.page;
    end
  end

  iommu_walk_finish u_ended (
      .probe_i   (probe),
      .context_i (context_i),
      .walk_i    (rights),
      .second_i  (found.second),
      .msi_i     (1'b0),
      .mrif_i    (1'b0),
      .page_i    (found.page),
      .dirty_i   (pte_d),
      .address_i (target[55:0]),
      .walk_o    (ended_walk_o)
  );

  assign context_o = known;
  assign walk_o = issued;
  assign access_o = accesses;
  assign access_update_o = update;
  assign access_address_o = {address[55:6], reads_line ? 6'd0 : address[5:0]};
  assign access_size_o = access_size;
  assign access_data_o = walk.big_endian ? {iommu_spec_pkg::reversed(pte), iommu_spec_pkg::reversed(pte_marked)} : {pte, pte_marked};
  assign access_pbmt_o = !of_software ? 2'd0 : of_table ? table_pbmt_i : of_same ? walk.table_pbmt : found.second ? pte_pbmt : 2'd0;
  assign access_qos_o = found.start || found.directory ? qos_i : device.qos;
  assign again_o = found.fetch || directory_leaf || process_leaf || restarts || to_msi || looks;
  assign index_o = to_index;
  assign end_o = {disallowed, paged && !canonical, too_wide, of_process, beyond};
  assign ends_o = ends;
  assign context_fill_o = (first && !found.cached) || defaulted;
  assign table_fill_o = first_leaf && last;
  assign second_fill_o = second_leaf && !found.reused && walk.second_level == 3'd0;
  assign leaf_fill_o = second_leaf && !found.reused;
  assign leaf_o = {pte_d, pte_x, pte_w, pte_r, pte_pbmt, found.page, target[55:12]};

`ifndef SYNTHESIS
  initial begin
    if ($bits(request) != iommu_spec_pkg::REQUEST_W || $bits(known) != iommu_spec_pkg::CONTEXT_W ||
        $bits(issued) != iommu_spec_pkg::WALK_W || $bits(found) != iommu_spec_pkg::FINDING_W)
      $fatal(1, "iommu_walk_advance: a width in iommu_spec_pkg is not that of its record");
  end
`endif

endmodule
`default_nettype wire
