`default_nettype none
// First half of a step: what the state of a walk means for the memory response it waited for (or for none): a directory entry, a
// context, a PTE, the result of a compare-and-set, an MSI PTE. Combinational. Checks stand in the order that decides which cause wins.
// Source: Process to translate an IOVA (steps 1..15), Process to locate the DC / PC, Sv39..Sv57 and Sv39x4..Sv57x4.
module iommu_walk_event #(
    // 1: an entry of a last-level first-stage table is read with its line of 64 bytes.
    parameter int LINE_READS = 1
) (
    // Effective capabilities; fctl.BE; ddtp.iommu_mode and PPN.
    input  wire [63:0]                           capabilities_i,
    input  wire                                  big_endian_i,
    input  wire [3:0]                            ddtp_mode_i,
    input  wire [43:0]                           ddtp_ppn_i,

    // request_t, context_t and walk_t of the walk.
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]  request_i,
    input  wire [iommu_spec_pkg::CONTEXT_W-1:0]  context_i,
    input  wire [iommu_spec_pkg::WALK_W-1:0]     walk_i,

    // Memory response (states that wait for one).
    input  wire [511:0]                          data_i,
    input  wire [7:0]                            err_i,
    input  wire [7:0]                            poison_i,

    // Interrupt file number of the guest address (state WALK_MSI_INDEX).
    input  wire [51:0]                           msi_index_i,

    // Context cache: resolved context of the requester.
    input  wire                                  context_hit_i,
    input  wire [iommu_spec_pkg::CONTEXT_W-1:0]  context_cached_i,

    // The context that is known now, the record so far, and what to go on with (decision_t).
    output wire [iommu_spec_pkg::CONTEXT_W-1:0]  context_o,
    output wire [iommu_spec_pkg::WALK_W-1:0]     walk_o,
    output wire [iommu_spec_pkg::DECISION_W-1:0] decision_o,
    // Operands of a compare-and-set: {expected, new}, in memory order.
    output wire [127:0]                          update_data_o,
    // A leaf was read in a last-level table of the first or of the second stage.
    output wire                                  table_fill_o,
    output wire                                  second_fill_o
);
  `include "iommu_records.vh"

  request_t  request;
  context_t  current, context_cached, decoded;
  walk_t     walk;

  assign request = request_i;
  assign current = context_i;
  assign context_cached = context_cached_i;
  assign walk = walk_i;

  wire untranslated = request.at == iommu_spec_pkg::AT_UNTRANSLATED;
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

  // Of a line only the entry that was asked for counts, and only its errors.
  wire [2:0]  place = LINE_READS != 0 && walk.state == iommu_spec_pkg::WALK_FIRST && walk.level == 3'd0 ? request.iova[14:12] : 3'd0;
  wire [63:0] dword0 = data[64*place +: 64];
  wire [63:0] dword1 = data[127:64];

  logic [7:0] asked;

  always_comb begin
    case (walk.state)
      iommu_spec_pkg::WALK_DIRECTORY: asked = walk.level != 3'd0 ? 8'h01 : extended ? 8'hFF : 8'h0F;
      iommu_spec_pkg::WALK_PROCESS: asked = walk.level != 3'd0 ? 8'h01 : 8'h03;
      iommu_spec_pkg::WALK_MSI: asked = 8'h03;
      default: asked = 8'h01 << place;
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

  wire msi_match;

  iommu_msi_match u_msi_match (
      .capabilities_i(capabilities_i),
      .guest_i       (walk.guest),
      .mask_i        (current.msi_mask),
      .pattern_i     (current.msi_pattern),
      .match_o       (msi_match)
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

  function automatic [8:0] iova_index;
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

  // ---- The event --------------------------------------------------------------------------------------------------------------
  context_t   known;
  walk_t      next;
  decision_t  meaning;
  logic       table_fill, second_fill;
  logic [8:0] second_address_cause;

  always_comb begin
    next = walk;
    known = current;
    meaning = '0;
    meaning.address = walk.address;
    meaning.s_r = 1'b1;
    meaning.s_w = 1'b1;
    meaning.s_x = 1'b1;
    meaning.s_d = 1'b1;
    meaning.s_page = iommu_spec_pkg::PAGE_NONE;
    meaning.s_address = walk.guest[55:0];
    table_fill = 1'b0;
    second_fill = 1'b0;
    second_address_cause = walk.purpose == iommu_spec_pkg::PURPOSE_PROCESS ? iommu_spec_pkg::CAUSE_PDT_ACCESS : access_cause;

    case (walk.state)
      iommu_spec_pkg::WALK_START: begin
        known = '0;
        next.reused = 1'b0;
        if (ddtp_mode_i == iommu_spec_pkg::MODE_OFF) begin
          meaning.fault = 1'b1;
          meaning.cause = iommu_spec_pkg::CAUSE_ALL_INBOUND_DISALLOWED;
        end else if (ddtp_mode_i == iommu_spec_pkg::MODE_BARE) begin
          if (untranslated) begin
            meaning.finish = 1'b1;
            next.guest = request.iova;
            meaning.s_address = request.iova[55:0];
            {next.r, next.w, next.x, next.d, next.g} = 5'b11111;
            next.page = iommu_spec_pkg::PAGE_NONE;
          end else begin
            meaning.fault = 1'b1;
            meaning.cause = iommu_spec_pkg::CAUSE_TRANSACTION_DISALLOWED;
          end
        end else if (device_too_wide) begin
          meaning.fault = 1'b1;
          meaning.cause = iommu_spec_pkg::CAUSE_TRANSACTION_DISALLOWED;
        end else if (context_hit_i) begin
          known = context_cached;
          meaning.cached = 1'b1;
          meaning.locate = 1'b1;
        end else begin
          meaning.access = 1'b1;
          next.state = iommu_spec_pkg::WALK_DIRECTORY;
          next.level = ddtp_mode_i[2:0] - 3'd2;
          meaning.address = {ddtp_ppn_i, ddtp_mode_i == iommu_spec_pkg::MODE_1LVL ? context_offset
              : {ddtp_mode_i == iommu_spec_pkg::MODE_3LVL ? ddi2 : ddi1, 3'd0}};
        end
      end

      iommu_spec_pkg::WALK_DIRECTORY: begin
        if (access_error) begin
          meaning.fault = 1'b1;
          meaning.cause = iommu_spec_pkg::CAUSE_DDT_ACCESS;
        end else if (poisoned) begin
          meaning.fault = 1'b1;
          meaning.cause = iommu_spec_pkg::CAUSE_DDT_CORRUPTION;
        end else if (!context_valid) begin
          meaning.fault = 1'b1;
          meaning.cause = iommu_spec_pkg::CAUSE_DDT_NOT_VALID;
        end else if (walk.level != 3'd0) begin
          if (dword0[9:1] != '0 || dword0[63:54] != '0) begin
            meaning.fault = 1'b1;
            meaning.cause = iommu_spec_pkg::CAUSE_DDT_MISCONFIGURED;
          end else begin
            meaning.access = 1'b1;
            next.level = walk.level - 3'd1;
            meaning.address = {pte_ppn, walk.level == 3'd1 ? context_offset : {ddi1, 3'd0}};
          end
        end else if (context_misconfigured) begin
          meaning.fault = 1'b1;
          meaning.cause = iommu_spec_pkg::CAUSE_DDT_MISCONFIGURED;
        end else begin
          known = decoded;
          next.state = iommu_spec_pkg::WALK_CONTEXT;
          meaning.again = 1'b1;
        end
      end

      iommu_spec_pkg::WALK_CONTEXT: meaning.locate = 1'b1;

      iommu_spec_pkg::WALK_PROCESS: begin
        if (access_error) begin
          meaning.fault = 1'b1;
          meaning.cause = iommu_spec_pkg::CAUSE_PDT_ACCESS;
        end else if (poisoned) begin
          meaning.fault = 1'b1;
          meaning.cause = iommu_spec_pkg::CAUSE_PDT_CORRUPTION;
        end else if (!dword0[0]) begin
          meaning.fault = 1'b1;
          meaning.cause = iommu_spec_pkg::CAUSE_PDT_NOT_VALID;
        end else if (walk.level != 3'd0) begin
          if (dword0[9:1] != '0 || dword0[63:54] != '0) begin
            meaning.fault = 1'b1;
            meaning.cause = iommu_spec_pkg::CAUSE_PDT_MISCONFIGURED;
          end else begin
            next.level = walk.level - 3'd1;
            next.guest = {8'd0, pte_ppn, walk.level == 3'd1 ? {request.pid[7:0], 4'd0} : {request.pid[16:8], 3'd0}};
            meaning.second = 1'b1;
          end
        end else if (dword0[11:3] != '0 || dword0[63:32] != '0 || dword1[59:44] != '0 ||
                     !iommu_spec_pkg::page_table_mode_legal(dword1[63:60],
                         {capabilities_i[iommu_spec_pkg::CAP_SV57], capabilities_i[iommu_spec_pkg::CAP_SV48],
                          capabilities_i[iommu_spec_pkg::CAP_SV39]})) begin
          meaning.fault = 1'b1;
          meaning.cause = iommu_spec_pkg::CAUSE_PDT_MISCONFIGURED;
        end else begin
          known.resolved = 1'b1;
          known.supervisor = dword0[1];
          known.sum = dword0[2];
          known.pscid = dword0[31:12];
          known.first_mode = dword1[63:60];
          known.first_ppn = dword1[43:0];
          next.state = iommu_spec_pkg::WALK_CONTEXT;
          meaning.again = 1'b1;
        end
      end

      iommu_spec_pkg::WALK_FIRST, iommu_spec_pkg::WALK_FIRST_UPDATE: begin
        if (access_error) begin
          meaning.fault = 1'b1;
          meaning.cause = access_cause;
        end else if (poisoned) begin
          meaning.fault = 1'b1;
          meaning.cause = iommu_spec_pkg::CAUSE_PT_CORRUPTION;
        end else if (update_lost) begin
          meaning.access = 1'b1;
          next.state = iommu_spec_pkg::WALK_FIRST;
        end else if (pte_malformed || (!pte_leaf && pte_bad_pointer)) begin
          meaning.fault = 1'b1;
          meaning.cause = page_cause;
        end else if (!pte_leaf) begin
          next.level = walk.level - 3'd1;
          next.g = walk.g || pte_g;
          next.guest = {8'd0, pte_ppn, iova_index(request.iova[56:12], walk.level - 3'd1), 3'd0};
          meaning.second = 1'b1;
        end else if (first_denied || pte_bad_page || (pte_stale && !current.sade)) begin
          meaning.fault = 1'b1;
          meaning.cause = page_cause;
        end else if (pte_stale && !walk.table_w && walk.reused) begin
          // The record needs the guest address of the table, which the walk cache does not hold.
          next.state = iommu_spec_pkg::WALK_START;
          next.cold = 1'b1;
          meaning.again = 1'b1;
        end else if (pte_stale && !walk.table_w) begin
          meaning.fault = 1'b1;
          meaning.cause = guest_cause;
          meaning.guest_fault = 1'b1;
          meaning.guest_flags = 2'd3;
        end else if (pte_stale) begin
          meaning.access = 1'b1;
          meaning.update = 1'b1;
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
          meaning.guest = 1'b1;
        end
      end

      iommu_spec_pkg::WALK_GUEST: begin
        if (known.msi && walk.purpose == iommu_spec_pkg::PURPOSE_REQUEST && msi_match) begin
          meaning.index = 1'b1;
          next.state = iommu_spec_pkg::WALK_MSI_INDEX;
        end else begin
          meaning.second = 1'b1;
        end
      end

      iommu_spec_pkg::WALK_MSI_INDEX: begin
        meaning.access = 1'b1;
        next.state = iommu_spec_pkg::WALK_MSI;
        meaning.address = {current.msi_ppn, 12'd0} | {msi_index_i, 4'd0};
      end

      iommu_spec_pkg::WALK_MSI: begin
        if (access_error) begin
          meaning.fault = 1'b1;
          meaning.cause = iommu_spec_pkg::CAUSE_MSI_PTE_ACCESS;
        end else if (poisoned) begin
          meaning.fault = 1'b1;
          meaning.cause = iommu_spec_pkg::CAUSE_MSI_PT_CORRUPTION;
        end else if (!dword0[0]) begin
          meaning.fault = 1'b1;
          meaning.cause = iommu_spec_pkg::CAUSE_MSI_PTE_NOT_VALID;
        end else if (dword0[63] || !dword0[1] || (msi_basic && msi_basic_reserved) ||
                     (!msi_basic && (!capabilities_i[iommu_spec_pkg::CAP_MSI_MRIF] || msi_mrif_reserved))) begin
          meaning.fault = 1'b1;
          meaning.cause = iommu_spec_pkg::CAUSE_MSI_PTE_MISCONFIGURED;
        end else if (exec && !probe) begin
          meaning.fault = 1'b1;
          meaning.cause = iommu_spec_pkg::CAUSE_INSTRUCTION_ACCESS;
        end else if (request.debug && !msi_basic) begin
          // An interrupt file in memory is no address that the debug port could name.
          meaning.fault = 1'b1;
          meaning.cause = iommu_spec_pkg::CAUSE_TRANSACTION_DISALLOWED;
        end else begin
          meaning.finish = 1'b1;
          meaning.s_x = 1'b0;
          meaning.s_page = iommu_spec_pkg::PAGE_4K;
          meaning.s_address = msi_basic ? {pte_ppn, walk.guest[11:0]} : {dword0[53:7], 9'd0};
          next.msi = 1'b1;
          next.mrif = !msi_basic;
          next.entry = {9'd0, dword1[53:10], dword1[60], dword1[9:0]};
        end
      end

      iommu_spec_pkg::WALK_SECOND, iommu_spec_pkg::WALK_SECOND_UPDATE: begin
        if (access_error) begin
          meaning.fault = 1'b1;
          meaning.cause = second_address_cause;
        end else if (poisoned) begin
          meaning.fault = 1'b1;
          meaning.cause = walk.purpose == iommu_spec_pkg::PURPOSE_PROCESS ? iommu_spec_pkg::CAUSE_PDT_CORRUPTION
              : iommu_spec_pkg::CAUSE_PT_CORRUPTION;
        end else if (update_lost) begin
          meaning.access = 1'b1;
          next.state = iommu_spec_pkg::WALK_SECOND;
        end else if (!pte_malformed && !pte_leaf && !pte_bad_pointer) begin
          meaning.access = 1'b1;
          next.state = iommu_spec_pkg::WALK_SECOND;
          next.second_level = walk.second_level - 3'd1;
          meaning.address = {pte_ppn, iova_index(walk.guest[56:12], walk.second_level - 3'd1), 3'd0};
        end else if (pte_malformed || !pte_leaf || second_denied || pte_bad_page || (pte_stale && !current.gade)) begin
          meaning.fault = 1'b1;
          meaning.cause = guest_cause;
          meaning.guest_fault = 1'b1;
          meaning.guest_flags = {1'b0, implicit};
        end else if (pte_stale) begin
          meaning.access = 1'b1;
          meaning.update = 1'b1;
          next.state = iommu_spec_pkg::WALK_SECOND_UPDATE;
          next.entry = dword0;
        end else begin
          meaning.s_r = pte_r;
          meaning.s_w = pte_w;
          meaning.s_x = pte_x;
          meaning.s_d = pte_d;
          meaning.s_pbmt = pte_pbmt;
          meaning.s_page = pte_page;
          meaning.s_address = pte_address;
          second_fill = walk.second_level == 3'd0;
          meaning.arrive = 1'b1;
        end
      end

      default: ;
    endcase
  end

  assign context_o = known;
  assign walk_o = next;
  assign decision_o = meaning;
  assign update_data_o = {data_i[64*place +: 64], swap ? iommu_spec_pkg::reversed(pte_marked) : pte_marked};
  assign table_fill_o = table_fill;
  assign second_fill_o = second_fill;

endmodule
`default_nettype wire
