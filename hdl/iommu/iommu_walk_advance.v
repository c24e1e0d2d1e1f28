`default_nettype none
// Second half of a step: where a walk goes after its event (iommu_walk_event.v), up to the next memory access, the next look into a
// cache, or the result. Combinational. The parts, in this order; each may hand on to a later one:
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

  context_t    known;
  walk_t       next;
  logic        fault;
  logic [8:0]  cause;
  logic        guest_fault;
  logic [1:0]  guest_flags;
  logic        first, guest, second, arrive, finish, access, update, again;
  logic [55:0] address, s_address;
  logic [2:0]  process_level;
  logic [11:0] process_offset;
  logic        process_too_wide;
  logic        canonical;
  logic [8:0]  root_vpn;
  logic [10:0] second_root_index;
  logic        second_too_wide;
  logic        context_fill;
  logic        beyond;

  always_comb begin
    next = walk_i;
    known = context_i;
    fault = decision.fault;
    cause = decision.cause;
    guest_fault = decision.guest_fault;
    guest_flags = decision.guest_flags;
    first = 1'b0;
    guest = decision.guest;
    second = decision.second;
    arrive = decision.arrive;
    finish = decision.finish;
    access = decision.access;
    update = decision.update;
    again = decision.again;
    address = decision.address;
    s_address = decision.s_address;
    context_fill = 1'b0;

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
    if (decision.locate) begin
      if (message) begin
        finish = known.en_pri;
        fault = !known.en_pri;
        cause = iommu_spec_pkg::CAUSE_TRANSACTION_DISALLOWED;
      end else if (!untranslated && !known.en_ats) begin
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
          context_fill = !decision.cached;
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
      end else if (table_hit_i && !next.cold) begin
        next.reused = 1'b1;
        next.level = 3'd0;
        next.purpose = iommu_spec_pkg::PURPOSE_FIRST;
        next.g = table_g_i;
        next.table_w = table_w_i;
        next.table_pbmt = table_pbmt_i;
        next.state = iommu_spec_pkg::WALK_FIRST;
        access = 1'b1;
        address = {table_ppn_i, request.iova[20:12], 3'd0};
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
      end else if (second_used_i && state_i != iommu_spec_pkg::WALK_GUEST) begin
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
          next.table_w = decision.s_w;
          next.table_pbmt = decision.s_pbmt;
          next.state = iommu_spec_pkg::WALK_FIRST;
          access = 1'b1;
          address = s_address;
        end
        iommu_spec_pkg::PURPOSE_PROCESS: begin
          next.table_pbmt = decision.s_pbmt;
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
      next.second_r = decision.s_r;
      next.second_w = decision.s_w && decision.s_d;
      next.second_x = decision.s_x;
      next.second_pbmt = decision.s_pbmt;
      next.second_page = decision.s_page;
      next.r = next.r && decision.s_r;
      next.w = next.w && next.d && decision.s_w && decision.s_d;
      next.x = next.x && decision.s_x;
      next.final_page = known.msi ? iommu_spec_pkg::PAGE_4K : next.page < decision.s_page ? next.page : decision.s_page;
      if (next.pbmt == 2'd0) next.pbmt = decision.s_pbmt;
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
      iommu_spec_pkg::WALK_FIRST: access_size = LINE_READS != 0 && next.level == 3'd0 ? 7'd64 : 7'd8;
      default: access_size = 7'd8;
    endcase
  end

  assign context_o = known;
  assign walk_o = next;
  assign access_o = access;
  assign access_update_o = update;
  assign access_size_o = access_size;
  assign access_pbmt_o = next.state == iommu_spec_pkg::WALK_FIRST || next.state == iommu_spec_pkg::WALK_PROCESS ||
      next.state == iommu_spec_pkg::WALK_FIRST_UPDATE ? next.table_pbmt : 2'd0;
  assign access_qos_o = next.state == iommu_spec_pkg::WALK_DIRECTORY ? qos_i : known.qos;
  assign again_o = again && !fault;
  assign index_o = decision.index;
  assign done_o = fault || finish;
  assign context_fill_o = context_fill;

`ifndef SYNTHESIS
  initial begin
    if ($bits(request) != iommu_spec_pkg::REQUEST_W || $bits(known) != iommu_spec_pkg::CONTEXT_W ||
        $bits(next) != iommu_spec_pkg::WALK_W || $bits(decision) != iommu_spec_pkg::DECISION_W)
      $fatal(1, "iommu_walk_advance: a width in iommu_spec_pkg is not that of its record");
  end
`endif

endmodule
`default_nettype wire
