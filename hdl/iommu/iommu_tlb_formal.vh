// Invalidation as the specification has it, for `include in the formal sections of both IOTLB levels.

// The invalidation names a translation of `requester` {DID, PV, PID, priv} for `page` of its IOVAs (RISC-V IOMMU, IOTINVAL.VMA,
// IOTINVAL.GVMA, IODIR; guest addresses are not stored, so every IOTINVAL.GVMA of the guest names it).
function automatic f_named;
  input [45:0] requester;
  input [51:0] page;
  input [iommu_spec_pkg::TRANSLATION_W-1:0] bits;
  translation_t translation;
  logic same_guest, same_process, same_address;
  begin
    translation = bits;
    same_guest = !invalidation.gv || translation.gscid == invalidation.gscid;
    same_process = !invalidation.pscv || (translation.pscv && translation.pscid == invalidation.pscid && !translation.g);
    same_address = !invalidation.av ||
        ((page ^ invalidation.vpn) & ~(iommu_spec_pkg::page_number_mask(translation.first_page) | invalidation.vpn_mask)) == '0;
    if (invalidation.everything) f_named = 1'b1;
    else if (invalidation.directory)
      f_named = !invalidation.dv ||
          (requester[45:22] == invalidation.did && (!invalidation.pv || requester[20:1] == invalidation.pid));
    else if (invalidation.gvma) f_named = translation.gv && same_guest;
    else f_named = translation.gv == invalidation.gv && same_guest && same_process && same_address;
  end
endfunction

logic f_started_q = 1'b0;
always_ff @(posedge clk_i) f_started_q <= 1'b1;
always_comb if (!f_started_q) assume (rst_i);
