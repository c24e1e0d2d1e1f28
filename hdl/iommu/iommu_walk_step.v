`default_nettype none
// One step of a walk: given the record of a walk and the memory response it waited for (or none), the next record and the next
// memory access. Pure and combinational; all order of checks, and with it the cause that wins, is decided here.
// Source: Process to translate an IOVA (steps 1..15), Process to locate the DC / PC, Sv39..Sv57 and Sv39x4..Sv57x4.
//
// The parts of a step, in this order; each may hand on to a later one within the same step:
//   event     what the state means for the response: directory entry, context, PTE, compare-and-set result
//   locate    a device context is known: transaction type checks, process directory or first stage
//   first     the first stage begins: Bare, canonical check, walk cache, or its root table
//   guest     the guest address of the request is known: MSI page table or second stage
//   second    second stage of `guest` begins: Bare, width check, a look into its walk cache, or its root table
//   arrive    the supervisor address of `guest` is known: load what it was for, or finish
//   access    an address to load from is known: width check, issue
module iommu_walk_step (
    // Effective capabilities; fctl.BE; ddtp.iommu_mode and PPN; iommu_qosid as {MCID, RCID}.
    input  wire [63:0]                          capabilities_i,
    input  wire                                 big_endian_i,
    input  wire [3:0]                           ddtp_mode_i,
    input  wire [43:0]                          ddtp_ppn_i,
    input  wire [23:0]                          qos_i,

    // request_t, context_t and walk_t of the walk.
    input  wire [iommu_spec_pkg::REQUEST_W-1:0] request_i,
    input  wire [iommu_spec_pkg::CONTEXT_W-1:0] context_i,
    input  wire [iommu_spec_pkg::WALK_W-1:0]    walk_i,

    // Memory response (states that wait for one).
    input  wire [511:0]                         data_i,
    input  wire [7:0]                           err_i,
    input  wire [7:0]                           poison_i,

    // Context cache: resolved context of the requester.
    input  wire                                 context_hit_i,
    input  wire [iommu_spec_pkg::CONTEXT_W-1:0] context_cached_i,
    // Walk cache: last-level first-stage table of the address (supervisor page number), its second-stage attributes, G so far.
    input  wire                                 table_hit_i,
    input  wire [43:0]                          table_ppn_i,
    input  wire [1:0]                           table_pbmt_i,
    input  wire                                 table_w_i,
    input  wire                                 table_g_i,
    // Second-stage walk cache: it holds something; last-level second-stage table of `walk_i.guest`.
    input  wire                                 second_used_i,
    input  wire                                 second_hit_i,
    input  wire [43:0]                          second_ppn_i,

    output wire [iommu_spec_pkg::CONTEXT_W-1:0] context_o,
    output wire [iommu_spec_pkg::WALK_W-1:0]    walk_o,

    // Memory access of the step: at `walk_o.address`.
    output wire                                 access_o,
    output wire                                 access_update_o,   // CAS64 instead of read
    output wire [6:0]                           access_size_o,
    output wire [127:0]                         access_data_o,     // {expected, new}, in memory order
    output wire [1:0]                           access_pbmt_o,
    output wire [23:0]                          access_qos_o,

    // The step takes another one without a memory response; the walk is finished.
    output wire                                 again_o,
    output wire                                 done_o,

    // A resolved context was computed (context_o), to be cached under the requester.
    output wire                                 context_fill_o,
    // A leaf was read in a last-level table at this supervisor page, of the first or of the second stage: to be cached for its
    // neighbours.
    output wire                                 table_fill_o,
    output wire                                 second_fill_o,
    output wire [43:0]                          table_fill_ppn_o,
    // G of the pointers above that table; the leaf's own G is no part of it.
    output wire                                 table_fill_g_o
);
  `include "iommu_records.vh"

  request_t request;
  context_t current, context_cached, decoded;
  walk_t    walk;

  assign request = request_i;
  assign current = context_i;
  assign context_cached = context_cached_i;
  assign walk = walk_i;

  // ---- Request attributes (section "exact order") -------------------------------------------------------------------------
  wire translated = request.at == iommu_spec_pkg::AT_TRANSLATED;
  wire untranslated = request.at == iommu_spec_pkg::AT_UNTRANSLATED;
  wire probe = request.at == iommu_spec_pkg::AT_TRANSLATION_REQUEST;
  wire reads = probe || !request.wr;
  wire exec = reads && request.exec && (untranslated || request.pv);
  wire read = reads && !(request.exec && untranslated);
  wire write = probe ? !request.nw : request.wr;

  wire [8:0] access_cause = exec ? iommu_spec_pkg::CAUSE_INSTRUCTION_ACCESS
      : read ? iommu_spec_pkg::CAUSE_READ_ACCESS : iommu_spec_pkg::CAUSE_WRITE_ACCESS;
  wire [8:0] page_cause = exec ? iommu_spec_pkg::CAUSE_INSTRUCTION_PAGE
      : read ? iommu_spec_pkg::CAUSE_READ_PAGE : iommu_spec_pkg::CAUSE_WRITE_PAGE;
  wire [8:0] guest_cause = exec ? iommu_spec_pkg::CAUSE_INSTRUCTION_GUEST_PAGE
      : read ? iommu_spec_pkg::CAUSE_READ_GUEST_PAGE : iommu_spec_pkg::CAUSE_WRITE_GUEST_PAGE;

  // ---- Response: little-endian dwords, errors of the dwords that were asked for ---------------------------------------------
  wire extended = capabilities_i[iommu_spec_pkg::CAP_MSI_FLAT];
  wire first_endian = walk.state == iommu_spec_pkg::WALK_FIRST || walk.state == iommu_spec_pkg::WALK_FIRST_UPDATE ||
      walk.state == iommu_spec_pkg::WALK_PROCESS;
  wire swap = first_endian ? current.sbe : big_endian_i;
  wire [511:0] data;

  generate
    for (genvar i = 0; i < 8; i++) begin : g_dword
      assign data[64*i +: 64] = swap ? iommu_spec_pkg::reversed(data_i[64*i +: 64]) : data_i[64*i +: 64];
    end
  endgenerate

  wire [63:0] dword0 = data[63:0];
  wire [63:0] dword1 = data[127:64];

  logic [7:0] asked;

  always_comb begin
    case (walk.state)
      iommu_spec_pkg::WALK_DIRECTORY: asked = walk.level != 3'd0 ? 8'h01 : extended ? 8'hFF : 8'h0F;
      iommu_spec_pkg::WALK_PROCESS: asked = walk.level != 3'd0 ? 8'h01 : 8'h03;
      iommu_spec_pkg::WALK_MSI: asked = 8'h03;
      default: asked = 8'h01;
    endcase
  end

  wire access_error = (err_i & asked) != '0;
  wire poisoned = (poison_i & asked) != '0;

  // ---- Checks ---------------------------------------------------------------------------------------------------------------
  wire                                 context_valid, context_misconfigured;
  wire [iommu_spec_pkg::CONTEXT_W-1:0] context_decoded;

  iommu_context_check u_context_check (
      .capabilities_i (capabilities_i),
      .big_endian_i   (big_endian_i),
      .data_i         (data),
      .valid_o        (context_valid),
      .misconfigured_o(context_misconfigured),
      .context_o      (context_decoded)
  );

  assign decoded = context_decoded;

  // A successful compare-and-set continues with the entry that it wrote.
  wire first_stage = walk.state == iommu_spec_pkg::WALK_FIRST || walk.state == iommu_spec_pkg::WALK_FIRST_UPDATE;
  wire update_response = walk.state == iommu_spec_pkg::WALK_FIRST_UPDATE || walk.state == iommu_spec_pkg::WALK_SECOND_UPDATE;
  wire update_lost = update_response && dword0 != walk.entry;
  // A second-stage entry of an implicit access gets D as well when the first stage updates A and D behind it.
  wire sets_dirty = first_stage ? write
      : walk.purpose == iommu_spec_pkg::PURPOSE_REQUEST ? write : current.sade;
  wire [63:0] pte_seen = update_response ? walk.entry : dword0;
  wire pte_marks_d = sets_dirty && pte_seen[2];
  wire [63:0] pte_marked = {pte_seen[63:8], pte_seen[7] || pte_marks_d, 1'b1, pte_seen[5:0]};
  wire [63:0] pte = update_response ? pte_marked : dword0;
  wire        pte_stale = pte_marked != pte;

  wire        pte_malformed, pte_leaf, pte_bad_pointer, pte_bad_page;
  wire [2:0]  pte_page;
  wire [55:0] pte_address;

  iommu_pte_check u_pte_check (
      .capabilities_i(capabilities_i),
      .pte_i         (pte),
      .level_i       (first_stage ? walk.level : walk.second_level),
      .address_i     (first_stage ? request.iova : walk.guest),
      .malformed_o   (pte_malformed),
      .leaf_o        (pte_leaf),
      .bad_pointer_o (pte_bad_pointer),
      .bad_page_o    (pte_bad_page),
      .page_o        (pte_page),
      .address_o     (pte_address)
  );

  wire pte_r = pte[1];
  wire pte_w = pte[2];
  wire pte_x = pte[3];
  wire pte_u = pte[4];
  wire pte_g = pte[5];
  wire pte_d = pte[7];
  wire [1:0] pte_pbmt = pte[62:61];
  wire [43:0] pte_ppn = pte[53:10];

  wire first_denied =
      (!probe && ((exec && !pte_x) || (read && !pte_r) || (write && !pte_w))) ||
      (!pte_u && !request.priv) || (pte_u && request.priv && (exec || !current.sum));
  wire implicit = walk.purpose != iommu_spec_pkg::PURPOSE_REQUEST;
  wire second_denied =
      !pte_u ||
      (implicit ? !pte_r : !probe && ((exec && !pte_x) || (read && !pte_r) || (write && !pte_w)));

  wire        msi_match;
  wire [51:0] msi_index;

  iommu_msi_match u_msi_match (
      .capabilities_i(capabilities_i),
      .guest_i       (walk.guest),
      .mask_i        (current.msi_mask),
      .pattern_i     (current.msi_pattern),
      .match_o       (msi_match),
      .index_o       (msi_index)
  );

  wire msi_basic_reserved = dword0[62:54] != '0 || dword0[9:3] != '0;
  wire msi_mrif_reserved = dword0[62:54] != '0 || dword0[6:3] != '0 || dword1[63:61] != '0 || dword1[59:54] != '0;
  wire msi_basic = dword0[2:1] == 2'd3;

  // ---- Indices --------------------------------------------------------------------------------------------------------------
  wire [8:0] ddi1 = extended ? request.did[14:6] : request.did[15:7];
  wire [8:0] ddi2 = extended ? request.did[23:15] : {1'b0, request.did[23:16]};
  wire [11:0] context_offset = extended ? {request.did[5:0], 6'd0} : {request.did[6:0], 5'd0};
  wire device_too_wide =
      (ddtp_mode_i == iommu_spec_pkg::MODE_1LVL && {ddi2, ddi1} != '0) ||
      (ddtp_mode_i != iommu_spec_pkg::MODE_1LVL && ddtp_mode_i != iommu_spec_pkg::MODE_3LVL && ddi2 != '0);

  logic       canonical;
  logic [8:0] vpn;
  logic [8:0] root_vpn;

  function [8:0] iova_index;
    input [56:12] iova;
    input [2:0]   level;
    begin
      case (level)
        3'd0: iova_index = iova[20:12];
        3'd1: iova_index = iova[29:21];
        3'd2: iova_index = iova[38:30];
        3'd3: iova_index = iova[47:39];
        default: iova_index = iova[56:48];
      endcase
    end
  endfunction

  // ---- The step ---------------------------------------------------------------------------------------------------------------
  context_t known;
  walk_t    next;
  logic     fault;
  logic [8:0] cause;
  logic     guest_fault;
  logic [1:0] guest_flags;
  logic     locate, first, guest, second, arrive, finish, access, update, again;
  logic [55:0] address;
  logic [8:0] second_address_cause;
  logic [2:0] process_level;
  logic [11:0] process_offset;
  logic     process_too_wide;
  logic [10:0] second_root_index;
  logic     second_too_wide;
  logic     s_r, s_w, s_x, s_d;
  logic [1:0] s_pbmt;
  logic [2:0] s_page;
  logic [55:0] s_address;
  logic     context_fill, table_fill, second_fill;
  logic     cached;
  logic     beyond;

  always_comb begin
    next = walk;
    known = current;
    fault = 1'b0;
    cause = 9'd0;
    guest_fault = 1'b0;
    guest_flags = 2'd0;
    locate = 1'b0;
    first = 1'b0;
    guest = 1'b0;
    second = 1'b0;
    arrive = 1'b0;
    finish = 1'b0;
    access = 1'b0;
    update = 1'b0;
    again = 1'b0;
    address = walk.address;
    context_fill = 1'b0;
    table_fill = 1'b0;
    second_fill = 1'b0;
    cached = 1'b0;
    // Second-stage attributes of `guest`, of a Bare stage unless a leaf says otherwise.
    s_r = 1'b1;
    s_w = 1'b1;
    s_x = 1'b1;
    s_d = 1'b1;
    s_pbmt = 2'd0;
    s_page = iommu_spec_pkg::PAGE_NONE;
    s_address = walk.guest[55:0];
    second_address_cause = walk.purpose == iommu_spec_pkg::PURPOSE_PROCESS ? iommu_spec_pkg::CAUSE_PDT_ACCESS : access_cause;

    // -- event
    case (walk.state)
      iommu_spec_pkg::WALK_START: begin
        known = '0;
        next.reused = 1'b0;
        if (ddtp_mode_i == iommu_spec_pkg::MODE_OFF) begin
          fault = 1'b1;
          cause = iommu_spec_pkg::CAUSE_ALL_INBOUND_DISALLOWED;
        end else if (ddtp_mode_i == iommu_spec_pkg::MODE_BARE) begin
          if (untranslated) begin
            finish = 1'b1;
            next.guest = request.iova;
            s_address = request.iova[55:0];
            {next.r, next.w, next.x, next.d, next.g} = 5'b11111;
            next.page = iommu_spec_pkg::PAGE_NONE;
          end else begin
            fault = 1'b1;
            cause = iommu_spec_pkg::CAUSE_TRANSACTION_DISALLOWED;
          end
        end else if (device_too_wide) begin
          fault = 1'b1;
          cause = iommu_spec_pkg::CAUSE_TRANSACTION_DISALLOWED;
        end else if (context_hit_i) begin
          known = context_cached;
          cached = 1'b1;
          locate = 1'b1;
        end else begin
          access = 1'b1;
          next.state = iommu_spec_pkg::WALK_DIRECTORY;
          next.level = ddtp_mode_i[2:0] - 3'd2;
          address = {ddtp_ppn_i, ddtp_mode_i == iommu_spec_pkg::MODE_1LVL ? context_offset
              : {ddtp_mode_i == iommu_spec_pkg::MODE_3LVL ? ddi2 : ddi1, 3'd0}};
        end
      end

      iommu_spec_pkg::WALK_DIRECTORY: begin
        if (access_error) begin
          fault = 1'b1;
          cause = iommu_spec_pkg::CAUSE_DDT_ACCESS;
        end else if (poisoned) begin
          fault = 1'b1;
          cause = iommu_spec_pkg::CAUSE_DDT_CORRUPTION;
        end else if (!context_valid) begin
          fault = 1'b1;
          cause = iommu_spec_pkg::CAUSE_DDT_NOT_VALID;
        end else if (walk.level != 3'd0) begin
          if (dword0[9:1] != '0 || dword0[63:54] != '0) begin
            fault = 1'b1;
            cause = iommu_spec_pkg::CAUSE_DDT_MISCONFIGURED;
          end else begin
            access = 1'b1;
            next.level = walk.level - 3'd1;
            address = {pte_ppn, walk.level == 3'd1 ? context_offset : {ddi1, 3'd0}};
          end
        end else if (context_misconfigured) begin
          fault = 1'b1;
          cause = iommu_spec_pkg::CAUSE_DDT_MISCONFIGURED;
        end else begin
          known = decoded;
          next.state = iommu_spec_pkg::WALK_CONTEXT;
          again = 1'b1;
        end
      end

      iommu_spec_pkg::WALK_CONTEXT: locate = 1'b1;

      iommu_spec_pkg::WALK_PROCESS: begin
        if (access_error) begin
          fault = 1'b1;
          cause = iommu_spec_pkg::CAUSE_PDT_ACCESS;
        end else if (poisoned) begin
          fault = 1'b1;
          cause = iommu_spec_pkg::CAUSE_PDT_CORRUPTION;
        end else if (!dword0[0]) begin
          fault = 1'b1;
          cause = iommu_spec_pkg::CAUSE_PDT_NOT_VALID;
        end else if (walk.level != 3'd0) begin
          if (dword0[9:1] != '0 || dword0[63:54] != '0) begin
            fault = 1'b1;
            cause = iommu_spec_pkg::CAUSE_PDT_MISCONFIGURED;
          end else begin
            next.level = walk.level - 3'd1;
            next.guest = {8'd0, pte_ppn, walk.level == 3'd1 ? {request.pid[7:0], 4'd0} : {request.pid[16:8], 3'd0}};
            second = 1'b1;
          end
        end else if (dword0[11:3] != '0 || dword0[63:32] != '0 || dword1[59:44] != '0 ||
                     !iommu_spec_pkg::page_table_mode_legal(dword1[63:60],
                         {capabilities_i[iommu_spec_pkg::CAP_SV57], capabilities_i[iommu_spec_pkg::CAP_SV48],
                          capabilities_i[iommu_spec_pkg::CAP_SV39]})) begin
          fault = 1'b1;
          cause = iommu_spec_pkg::CAUSE_PDT_MISCONFIGURED;
        end else begin
          known.resolved = 1'b1;
          known.supervisor = dword0[1];
          known.sum = dword0[2];
          known.pscid = dword0[31:12];
          known.first_mode = dword1[63:60];
          known.first_ppn = dword1[43:0];
          next.state = iommu_spec_pkg::WALK_CONTEXT;
          again = 1'b1;
        end
      end

      iommu_spec_pkg::WALK_FIRST, iommu_spec_pkg::WALK_FIRST_UPDATE: begin
        if (access_error) begin
          fault = 1'b1;
          cause = access_cause;
        end else if (poisoned) begin
          fault = 1'b1;
          cause = iommu_spec_pkg::CAUSE_PT_CORRUPTION;
        end else if (update_lost) begin
          access = 1'b1;
          next.state = iommu_spec_pkg::WALK_FIRST;
        end else if (pte_malformed || (!pte_leaf && pte_bad_pointer)) begin
          fault = 1'b1;
          cause = page_cause;
        end else if (!pte_leaf) begin
          next.level = walk.level - 3'd1;
          next.g = walk.g || pte_g;
          next.guest = {8'd0, pte_ppn, iova_index(request.iova[56:12], walk.level - 3'd1), 3'd0};
          second = 1'b1;
        end else if (first_denied || pte_bad_page || (pte_stale && !current.sade)) begin
          fault = 1'b1;
          cause = page_cause;
        end else if (pte_stale && !walk.table_w && walk.reused) begin
          // The record needs the guest address of the table, which the walk cache does not hold.
          next.state = iommu_spec_pkg::WALK_START;
          next.cold = 1'b1;
          again = 1'b1;
        end else if (pte_stale && !walk.table_w) begin
          fault = 1'b1;
          cause = guest_cause;
          guest_fault = 1'b1;
          guest_flags = 2'd3;
        end else if (pte_stale) begin
          access = 1'b1;
          update = 1'b1;
          next.state = iommu_spec_pkg::WALK_FIRST_UPDATE;
          next.entry = dword0;
        end else begin
          next.r = pte_r;
          next.w = pte_w;
          // Supervisor accesses never execute from user pages.
          next.x = pte_x && !(pte_u && request.priv);
          next.d = pte_d;
          next.g = walk.g || pte_g;
          next.pbmt = pte_pbmt;
          next.page = pte_page;
          next.guest = {8'd0, pte_address};
          table_fill = walk.level == 3'd0;
          guest = 1'b1;
        end
      end

      iommu_spec_pkg::WALK_GUEST: begin
        if (known.msi && walk.purpose == iommu_spec_pkg::PURPOSE_REQUEST && msi_match) begin
          access = 1'b1;
          next.state = iommu_spec_pkg::WALK_MSI;
          address = {current.msi_ppn, 12'd0} | {msi_index, 4'd0};
        end else begin
          second = 1'b1;
        end
      end

      iommu_spec_pkg::WALK_MSI: begin
        if (access_error) begin
          fault = 1'b1;
          cause = iommu_spec_pkg::CAUSE_MSI_PTE_ACCESS;
        end else if (poisoned) begin
          fault = 1'b1;
          cause = iommu_spec_pkg::CAUSE_MSI_PT_CORRUPTION;
        end else if (!dword0[0]) begin
          fault = 1'b1;
          cause = iommu_spec_pkg::CAUSE_MSI_PTE_NOT_VALID;
        end else if (dword0[63] || !dword0[1] || (msi_basic && msi_basic_reserved) ||
                     (!msi_basic && (!capabilities_i[iommu_spec_pkg::CAP_MSI_MRIF] || msi_mrif_reserved))) begin
          fault = 1'b1;
          cause = iommu_spec_pkg::CAUSE_MSI_PTE_MISCONFIGURED;
        end else if (exec && !probe) begin
          fault = 1'b1;
          cause = iommu_spec_pkg::CAUSE_INSTRUCTION_ACCESS;
        end else begin
          finish = 1'b1;
          s_x = 1'b0;
          s_page = iommu_spec_pkg::PAGE_4K;
          s_address = msi_basic ? {pte_ppn, walk.guest[11:0]} : {dword0[53:7], 9'd0};
          next.msi = 1'b1;
          next.mrif = !msi_basic;
          next.entry = {9'd0, dword1[53:10], dword1[60], dword1[9:0]};
        end
      end

      iommu_spec_pkg::WALK_SECOND, iommu_spec_pkg::WALK_SECOND_UPDATE: begin
        if (access_error) begin
          fault = 1'b1;
          cause = second_address_cause;
        end else if (poisoned) begin
          fault = 1'b1;
          cause = walk.purpose == iommu_spec_pkg::PURPOSE_PROCESS ? iommu_spec_pkg::CAUSE_PDT_CORRUPTION
              : iommu_spec_pkg::CAUSE_PT_CORRUPTION;
        end else if (update_lost) begin
          access = 1'b1;
          next.state = iommu_spec_pkg::WALK_SECOND;
        end else if (!pte_malformed && !pte_leaf && !pte_bad_pointer) begin
          access = 1'b1;
          next.state = iommu_spec_pkg::WALK_SECOND;
          next.second_level = walk.second_level - 3'd1;
          address = {pte_ppn, iova_index(walk.guest[56:12], walk.second_level - 3'd1), 3'd0};
        end else if (pte_malformed || !pte_leaf || second_denied || pte_bad_page || (pte_stale && !current.gade)) begin
          fault = 1'b1;
          cause = guest_cause;
          guest_fault = 1'b1;
          guest_flags = {1'b0, implicit};
        end else if (pte_stale) begin
          access = 1'b1;
          update = 1'b1;
          next.state = iommu_spec_pkg::WALK_SECOND_UPDATE;
          next.entry = dword0;
        end else begin
          s_r = pte_r;
          s_w = pte_w;
          s_x = pte_x;
          s_d = pte_d;
          s_pbmt = pte_pbmt;
          s_page = pte_page;
          s_address = pte_address;
          second_fill = walk.second_level == 3'd0;
          arrive = 1'b1;
        end
      end

      default: ;
    endcase

    // -- locate
    case (known.first_mode[1:0])
      2'd1: process_too_wide = request.pid[19:8] != '0;
      2'd2: process_too_wide = request.pid[19:17] != '0;
      default: process_too_wide = 1'b0;
    endcase
    process_level = {1'b0, known.first_mode[1:0]} - 3'd1;
    case (process_level)
      3'd0: process_offset = {request.pid[7:0], 4'd0};
      3'd1: process_offset = {request.pid[16:8], 3'd0};
      default: process_offset = {6'd0, request.pid[19:17], 3'd0};
    endcase
    if (locate) begin
      if (!untranslated && !known.en_ats) begin
        fault = 1'b1;
        cause = iommu_spec_pkg::CAUSE_TRANSACTION_DISALLOWED;
      end else if (request.pv && (!known.pdtv || (!known.resolved && process_too_wide))) begin
        fault = 1'b1;
        cause = iommu_spec_pkg::CAUSE_TRANSACTION_DISALLOWED;
      end else if (translated && !known.t2gpa) begin
        finish = 1'b1;
        next.guest = request.iova;
        s_address = request.iova[55:0];
        {next.r, next.w, next.x, next.d, next.g} = 5'b11111;
        next.page = iommu_spec_pkg::PAGE_NONE;
        next.pbmt = 2'd0;
      end else if (translated) begin
        known.first_mode = 4'd0;
        first = 1'b1;
      end else if (known.resolved || !known.pdtv) begin
        known.resolved = 1'b1;
        if (request.priv && !known.supervisor) begin
          fault = 1'b1;
          cause = iommu_spec_pkg::CAUSE_TRANSACTION_DISALLOWED;
        end else begin
          context_fill = !cached;
          first = 1'b1;
        end
      end else if ((!request.pv && !known.dpe) || known.first_mode == 4'd0) begin
        known.resolved = 1'b1;
        known.first_mode = 4'd0;
        context_fill = 1'b1;
        first = 1'b1;
      end else begin
        next.level = process_level;
        next.purpose = iommu_spec_pkg::PURPOSE_PROCESS;
        next.guest = {8'd0, known.first_ppn, process_offset};
        second = 1'b1;
      end
    end

    // -- first
    case (known.first_mode)
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
    vpn = request.iova[20:12];
    if (first) begin
      if (known.first_mode == 4'd0) begin
        next.guest = request.iova;
        {next.r, next.w, next.x, next.d, next.g} = 5'b11111;
        next.pbmt = 2'd0;
        next.page = iommu_spec_pkg::PAGE_NONE;
        guest = 1'b1;
      end else if (!canonical) begin
        fault = 1'b1;
        cause = page_cause;
      end else if (table_hit_i && !walk.cold) begin
        next.reused = 1'b1;
        next.level = 3'd0;
        next.purpose = iommu_spec_pkg::PURPOSE_FIRST;
        next.g = table_g_i;
        next.table_w = table_w_i;
        next.table_pbmt = table_pbmt_i;
        next.state = iommu_spec_pkg::WALK_FIRST;
        access = 1'b1;
        address = {table_ppn_i, vpn, 3'd0};
      end else begin
        next.level = known.first_mode[2:0] + 3'd2;
        next.purpose = iommu_spec_pkg::PURPOSE_FIRST;
        next.g = 1'b0;
        next.guest = {8'd0, known.first_ppn, root_vpn, 3'd0};
        second = 1'b1;
      end
    end

    // -- guest
    if (guest) begin
      next.purpose = iommu_spec_pkg::PURPOSE_REQUEST;
      if (known.msi) begin
        next.state = iommu_spec_pkg::WALK_GUEST;
        again = 1'b1;
      end else begin
        second = 1'b1;
      end
    end

    // -- second
    case (known.second_mode)
      4'd8: begin
        second_too_wide = next.guest[63:41] != '0;
        second_root_index = next.guest[40:30];
      end
      4'd9: begin
        second_too_wide = next.guest[63:50] != '0;
        second_root_index = next.guest[49:39];
      end
      default: begin
        second_too_wide = next.guest[63:59] != '0;
        second_root_index = next.guest[58:48];
      end
    endcase
    if (second) begin
      if (known.second_mode == 4'd0) begin
        s_address = next.guest[55:0];
        arrive = 1'b1;
      end else if (second_too_wide) begin
        fault = 1'b1;
        cause = guest_cause;
        guest_fault = 1'b1;
        guest_flags = {1'b0, next.purpose != iommu_spec_pkg::PURPOSE_REQUEST};
      end else if (second_used_i && walk.state != iommu_spec_pkg::WALK_GUEST) begin
        next.state = iommu_spec_pkg::WALK_GUEST;
        again = 1'b1;
      end else if (second_used_i && second_hit_i) begin
        next.second_level = 3'd0;
        next.state = iommu_spec_pkg::WALK_SECOND;
        access = 1'b1;
        address = {second_ppn_i, next.guest[20:12], 3'd0};
      end else begin
        next.second_level = known.second_mode[2:0] + 3'd2;
        next.state = iommu_spec_pkg::WALK_SECOND;
        access = 1'b1;
        address = {known.second_ppn[43:2], second_root_index, 3'd0};
      end
    end

    // -- arrive
    if (arrive) begin
      case (next.purpose)
        iommu_spec_pkg::PURPOSE_FIRST: begin
          next.table_w = s_w;
          next.table_pbmt = s_pbmt;
          next.state = iommu_spec_pkg::WALK_FIRST;
          access = 1'b1;
          address = s_address;
        end
        iommu_spec_pkg::PURPOSE_PROCESS: begin
          next.table_pbmt = s_pbmt;
          next.state = iommu_spec_pkg::WALK_PROCESS;
          access = 1'b1;
          address = s_address;
        end
        default: finish = 1'b1;
      endcase
    end

    // -- access: beyond the physical address size it is an access fault of what would have been loaded
    beyond = (address >> capabilities_i[37:32]) != '0;
    if (access) begin
      next.address = address;
      if (beyond) begin
        fault = 1'b1;
        access = 1'b0;
        update = 1'b0;
        case (next.state)
          iommu_spec_pkg::WALK_DIRECTORY: cause = iommu_spec_pkg::CAUSE_DDT_ACCESS;
          iommu_spec_pkg::WALK_PROCESS: cause = iommu_spec_pkg::CAUSE_PDT_ACCESS;
          iommu_spec_pkg::WALK_MSI: cause = iommu_spec_pkg::CAUSE_MSI_PTE_ACCESS;
          iommu_spec_pkg::WALK_SECOND:
            cause = next.purpose == iommu_spec_pkg::PURPOSE_PROCESS ? iommu_spec_pkg::CAUSE_PDT_ACCESS : access_cause;
          default: cause = access_cause;
        endcase
      end
    end

    // -- result
    if (finish) begin
      next.state = iommu_spec_pkg::WALK_DONE;
      next.status = iommu_pkg::RESPONSE_SUCCESS;
      next.record = 1'b0;
      next.cause = 9'd0;
      next.r = next.r && s_r;
      next.w = next.w && next.d && s_w && s_d;
      next.x = next.x && s_x;
      next.final_page = known.msi ? iommu_spec_pkg::PAGE_4K : next.page < s_page ? next.page : s_page;
      if (next.pbmt == 2'd0) next.pbmt = s_pbmt;
      // An ATS client of a T2GPA device is given the guest address.
      next.address = probe && known.t2gpa ? next.guest[55:0] : s_address;
    end
    if (fault) begin
      next.state = iommu_spec_pkg::WALK_DONE;
      next.cause = cause;
      next.guest_fault = guest_fault;
      next.guest_flags = guest_flags;
      next.r = 1'b0;
      next.w = 1'b0;
      next.x = 1'b0;
      next.g = 1'b0;
      next.msi = 1'b0;
      next.mrif = 1'b0;
      next.pbmt = 2'd0;
      if (probe && iommu_spec_pkg::untranslatable(cause)) begin
        next.status = iommu_pkg::RESPONSE_SUCCESS;
        next.record = 1'b0;
      end else begin
        next.status = probe && !iommu_spec_pkg::unsupported_request(cause) ? iommu_pkg::RESPONSE_CA : iommu_pkg::RESPONSE_UR;
        next.record = !known.dtf || iommu_spec_pkg::reported_despite_dtf(cause);
      end
    end
  end

  logic [6:0] access_size;

  always_comb begin
    case (next.state)
      iommu_spec_pkg::WALK_DIRECTORY: access_size = next.level != 3'd0 ? 7'd8 : extended ? 7'd64 : 7'd32;
      iommu_spec_pkg::WALK_PROCESS: access_size = next.level != 3'd0 ? 7'd8 : 7'd16;
      iommu_spec_pkg::WALK_MSI: access_size = 7'd16;
      default: access_size = 7'd8;
    endcase
  end

  assign walk_o = next;
  assign context_o = known;
  assign access_o = access;
  assign access_update_o = update;
  assign access_size_o = access_size;
  assign access_data_o = {data_i[63:0], swap ? iommu_spec_pkg::reversed(pte_marked) : pte_marked};
  assign access_pbmt_o = next.state == iommu_spec_pkg::WALK_FIRST || next.state == iommu_spec_pkg::WALK_PROCESS ||
      next.state == iommu_spec_pkg::WALK_FIRST_UPDATE ? next.table_pbmt : 2'd0;
  assign access_qos_o = next.state == iommu_spec_pkg::WALK_DIRECTORY ? qos_i : known.qos;
  assign again_o = again && !fault;
  assign done_o = fault || finish;
  assign context_fill_o = context_fill;
  assign table_fill_o = table_fill;
  assign second_fill_o = second_fill;
  assign table_fill_ppn_o = walk.address[55:12];
  assign table_fill_g_o = walk.g;

`ifndef SYNTHESIS
  initial begin
    if ($bits(request) != iommu_spec_pkg::REQUEST_W || $bits(current) != iommu_spec_pkg::CONTEXT_W ||
        $bits(walk) != iommu_spec_pkg::WALK_W)
      $fatal(1, "iommu_walk_step: REQUEST_W, CONTEXT_W or WALK_W in iommu_spec_pkg is not the width of its record");
  end
`endif

endmodule
`default_nettype wire
